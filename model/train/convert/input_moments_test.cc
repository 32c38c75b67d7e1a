#include "model/train/convert/input_moments.h"

#include <torch/torch.h>

#include <gtest/gtest.h>

namespace anybit::model::train {
namespace {

constexpr int64_t kRows = 8, kChannels = 3, kPlaces = 9;

// A 3x3 convolution of stride 2 that gives 3x3 places.
PlannedNode Node(bool depthwise) {
  return {.kind = NodeKind::kConv,
          .in = {.height = 7, .width = 7, .channels = kChannels},
          .out = {.height = 3, .width = 3, .channels = kChannels},
          .kernel = 3,
          .stride = 2,
          .depthwise = depthwise,
          .depth = depthwise ? 9 : 9 * kChannels};
}

// Of all windows: [rows * places, channel, place in the window].
torch::Tensor Windows(const torch::Tensor& images) {
  return at::im2col(images, {3, 3}, {1, 1}, {0, 0}, {2, 2}).permute({0, 2, 1}).reshape({kRows * kPlaces, kChannels, 9});
}

torch::Tensor Covariance(const torch::Tensor& samples) {
  const torch::Tensor centred = samples - samples.mean(0);
  return torch::matmul(centred.t(), centred) / samples.size(0);
}

torch::Tensor MomentsOf(const PlannedNode& node, const torch::Tensor& images, std::vector<int64_t> shape) {
  InputMomentSums sums(node, kRows, kRows * kPlaces);
  for (int64_t row = 0; row < kRows; row += 4) sums.Add(images.slice(0, row, row + 4));
  const std::vector<float> moments = sums.Moments();
  return torch::tensor(moments).reshape(shape);
}

TEST(InputMoments, AreTheCovarianceOfWindowsInTheOrderOfWeights) {
  torch::manual_seed(3);
  const torch::Tensor images = torch::rand({kRows, kChannels, 7, 7}) + 2;
  const torch::Tensor wanted = Covariance(Windows(images).permute({0, 2, 1}).reshape({kRows * kPlaces, -1}));
  EXPECT_TRUE(torch::allclose(MomentsOf(Node(false), images, {27, 27}), wanted, 1e-3, 1e-5));
}

TEST(InputMoments, AreThoseOfEachChannelForDepthwiseLayers) {
  torch::manual_seed(4);
  const torch::Tensor images = torch::rand({kRows, kChannels, 7, 7}) + 2;
  const torch::Tensor moments = MomentsOf(Node(true), images, {kChannels, 9, 9});
  for (int64_t c = 0; c < kChannels; ++c) {
    EXPECT_TRUE(torch::allclose(moments[c], Covariance(Windows(images).select(1, c)), 1e-3, 1e-5)) << c;
  }
}

TEST(InputMoments, AreNotCollectedForLayersOfOnePlace) {
  PlannedNode node = Node(false);
  node.out.height = node.out.width = 1;
  InputMomentSums sums(node, kRows, 100);
  sums.Add(torch::rand({kRows, kChannels, 3, 3}));
  EXPECT_TRUE(sums.Moments().empty());
}

}  // namespace
}  // namespace anybit::model::train
