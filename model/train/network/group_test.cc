// Two processes that share a batch, compared with one process that has all rows.
#include <torch/torch.h>

#include <cmath>
#include <random>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "model/arch/basic_block_network.h"
#include "model/train/network/synchronized_batch_norm.h"
#include "model/train/network/trainable_network.h"
#include "model/train/processes/process_group.h"
#include "model/train/recipe/point_recipe.h"
#include "model/train/recipe/recipe.h"
#include "model/train/testing/team.h"

namespace anybit::model::train {
namespace {

// Values and gradients of batch norm over [8, 3, 20, 20] with values around `centre`; this process has rows
// first..last. Without a group they are those of LibTorch, in double, because its float sums lose more than ours.
std::vector<torch::Tensor> NormResults(ProcessGroup* group, int64_t first, int64_t last, torch::MemoryFormat layout,
                                       double centre) {
  torch::manual_seed(3);
  const torch::ScalarType type = group != nullptr ? torch::kFloat32 : torch::kFloat64;
  const torch::Tensor all = torch::randn({8, 3, 20, 20}) * 2 + centre, weights = torch::randn({8, 3, 20, 20});
  const torch::Tensor x = all.slice(0, first, last).to(type).clone(layout).set_requires_grad(true);
  const torch::Tensor gamma = torch::tensor({0.5, 1.0, 2.0}, type).set_requires_grad(true);
  const torch::Tensor beta = torch::tensor({0.25, 0.5, 0.75}, type).set_requires_grad(true);
  const torch::Tensor mean = torch::zeros(3, type), variance = torch::ones(3, type);
  const torch::Tensor y = group != nullptr ? SynchronizedBatchNorm(*group, x, gamma, beta, mean, variance, 0.25, 1e-5)
                                           : torch::batch_norm(x, gamma, beta, mean, variance, true, 0.25, 1e-5, true);
  (y * weights.slice(0, first, last)).sum().backward();
  return {y.detach(), x.grad(), gamma.grad(), beta.grad(), mean, variance};
}

void CheckNorm(ProcessGroup& group) {
  const int64_t first = group.rank() == 0 ? 0 : 3, last = group.rank() == 0 ? 3 : 8;
  for (const torch::MemoryFormat layout : {torch::MemoryFormat::Contiguous, torch::MemoryFormat::ChannelsLast}) {
    for (const double centre : {1.0, 100.0}) {
      SCOPED_TRACE(testing::Message() << (layout == torch::MemoryFormat::Contiguous ? "NCHW" : "NHWC") << " around "
                                      << centre);
      const std::vector<torch::Tensor> whole = NormResults(nullptr, 0, 8, layout, centre);
      std::vector<torch::Tensor> part = NormResults(&group, first, last, layout, centre);
      ASSERT_TRUE(group.Sum({part[2], part[3]}).ok());
      // A mean near 100 has an error of 4e-6, which enters a gradient about fifty times.
      const double tolerance = centre == 1 ? 1e-5 : 3e-4;
      for (size_t i = 0; i < whole.size(); ++i) {
        const torch::Tensor expected = i < 2 ? whole[i].slice(0, first, last) : whole[i];
        EXPECT_TRUE(torch::allclose(part[i].to(torch::kFloat64), expected, 1e-5, tolerance))
            << i << ": " << (part[i] - expected).abs().max().item<double>();
      }
    }
  }
}

TEST(SynchronizedBatchNorm, IsThatOfTheWholeBatchWithUnequalParts) {
  Team team = MakeTeam("norm", 2);
  CheckNorm(*team.group);
  EXPECT_EQ(team.peers[0]->Wait(), 0);
}

constexpr int kSide = 8;
constexpr int kBatch = 16;
constexpr int kSteps = 12;
constexpr char kPoints[] = "fp32,w4a4f";

enum class Norms { kOwn, kOfTheGroup };

// Noise with a brighter quarter, which is the label. `order` rotates the rows of the batch, which changes only the
// order of float additions.
std::pair<torch::Tensor, torch::Tensor> Batch(int step, int order) {
  std::mt19937_64 random(step);
  const torch::Tensor images = torch::zeros({kBatch, kSide, kSide, 1}, torch::kUInt8);
  const torch::Tensor labels = torch::zeros({kBatch}, torch::kInt64);
  for (int i = 0; i < kBatch; ++i) {
    const int row = (i + order) % kBatch;
    const int label = static_cast<int>(random() % 4);
    labels[row] = label;
    for (int y = 0; y < kSide; ++y) {
      for (int x = 0; x < kSide; ++x) {
        const bool bright = y / (kSide / 2) * 2 + x / (kSide / 2) == label;
        images.data_ptr<uint8_t>()[(row * kSide + y) * kSide + x] =
            static_cast<uint8_t>(random() % 200 + (bright ? 50 : 0));
      }
    }
  }
  return {images, labels};
}

TrainableNetwork SmallNetwork(uint64_t seed) {
  return TrainableNetwork(BasicBlockNetwork({.name = "small", .side = kSide, .stages = {4, 8}, .classes = 4}),
                          *ParsePoints(kPoints), *ParseRecipe("coquant"), seed);
}

// The loss of each point and step over the whole batch: a trainer's work for a group in a few lines.
std::vector<double> LossCurve(ProcessGroup* group, Norms norms, int order = 0) {
  TrainableNetwork network = SmallNetwork(/*seed=*/group != nullptr ? 1 + group->rank() : 1);
  const std::vector<torch::Tensor> parameters = network->parameters();
  int64_t first = 0, last = kBatch;
  if (group != nullptr) {
    std::vector<torch::Tensor> state = parameters;
    for (const torch::Tensor& buffer : network->buffers()) state.push_back(buffer);
    EXPECT_TRUE(group->Broadcast(state).ok());
    first = kBatch * group->rank() / group->size();
    last = kBatch * (group->rank() + 1) / group->size();
    if (norms == Norms::kOfTheGroup) network->SynchronizeNorms(group);
  }
  network->CalibrateSteps(1, Batch(0, 0).first);
  torch::optim::SGD optimizer(parameters, 0.05);
  std::vector<double> curve;
  for (int step = 0; step < kSteps; ++step) {
    const auto [images, labels] = Batch(step, order);
    optimizer.zero_grad();
    for (int point = 0; point < 2; ++point) {
      const torch::Tensor loss = torch::cross_entropy_loss(network->Forward(point, images.slice(0, first, last)),
                                                           labels.slice(0, first, last));
      loss.backward();
      const torch::Tensor value = loss.detach().to(torch::kFloat64).reshape({1});
      if (group != nullptr) {
        EXPECT_TRUE(group->Average({value}).ok());
      }
      curve.push_back(value.item<double>());
    }
    network->PullBackGradients();
    if (group != nullptr) {
      EXPECT_TRUE(AverageGradients(*group, parameters).ok());
      // The gradient of a step is scaled by 1 / sqrt(elements), and a process has only its share of the elements.
      for (const torch::Tensor& t : network->steps())
        t.mutable_grad().div_(std::sqrt(static_cast<double>(group->size())));
    }
    optimizer.step();
    network->WeightsChanged();
  }
  return curve;
}

// The statistics after EstimateNorms with rows first..last of a batch, in two parts.
std::vector<torch::Tensor> Estimates(ProcessGroup* group, int64_t first, int64_t last) {
  TrainableNetwork network = SmallNetwork(/*seed=*/1);
  const torch::Tensor images = Batch(0, 0).first;
  network->CalibrateSteps(1, images);
  network->SynchronizeNorms(group);
  const torch::Tensor batches[] = {images.slice(0, first, first + 2), images.slice(0, first + 2, last)};
  for (int point = 0; point < 2; ++point) network->EstimateNorms(point, batches);
  return network->buffers();
}

void CheckEstimates(ProcessGroup& group) {
  const auto whole = Estimates(nullptr, 0, kBatch);
  const auto part = group.rank() == 0 ? Estimates(&group, 0, 5) : Estimates(&group, 5, kBatch);
  for (size_t i = 0; i < whole.size(); ++i) EXPECT_TRUE(torch::allclose(part[i], whole[i], 1e-5, 1e-6)) << i;
}

TEST(TwoProcesses, EstimateBatchNormFromTheImagesOfBoth) {
  Team together = MakeTeam("estimates", 2);
  CheckEstimates(*together.group);
  EXPECT_EQ(together.peers[0]->Wait(), 0);
}

double LargestDifference(const std::vector<double>& a, const std::vector<double>& b) {
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

TEST(TwoProcesses, TrainAsOneWithTheDoubledBatchUpToTheOrderOfAdditions) {
  const std::vector<double> one = LossCurve(nullptr, Norms::kOwn);
  // The effect of the order of additions alone, measured with the same images rotated within the batch. A rounding can
  // move a value over a quantizer's step, so the effect is not a multiple of the float epsilon. Otherwise eight
  // roundings of a loss near 1 remain. Separate batch norm differs by 0.07, wrongly scaled step gradients by 0.04.
  double tolerance = 1e-6;
  for (const int order : {1, 3, 5, 8}) {
    tolerance = std::max(tolerance, 4 * LargestDifference(one, LossCurve(nullptr, Norms::kOwn, order)));
  }
  ASSERT_LT(tolerance, 0.02);
  ASSERT_LT(one.back(), 0.9 * one[1]) << "nothing is learned, so nothing can differ";

  Team together = MakeTeam("train", 2);
  EXPECT_LT(LargestDifference(one, LossCurve(together.group.get(), Norms::kOfTheGroup)), tolerance);
  // With separate batch norms the training is another.
  EXPECT_GT(LargestDifference(one, LossCurve(together.group.get(), Norms::kOwn)), 2 * tolerance);
  EXPECT_EQ(together.peers[0]->Wait(), 0);
}

void TrainTwice(ProcessGroup& group) {
  LossCurve(&group, Norms::kOfTheGroup);
  LossCurve(&group, Norms::kOwn);
}

int Main(int argc, char** argv) {
  return RunTeamTests(argc, argv, {{"norm", CheckNorm}, {"estimates", CheckEstimates}, {"train", TrainTwice}});
}

}  // namespace
}  // namespace anybit::model::train

int main(int argc, char** argv) { return anybit::model::train::Main(argc, argv); }
