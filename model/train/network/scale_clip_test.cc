// GDRQ's Scale-Clip: of weights in groups of filters, and of activations.
#include <torch/torch.h>

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "model/train/network/activation_parameter.h"
#include "model/train/network/layer_weights.h"
#include "model/train/network/trainable_network.h"
#include "model/train/recipe/point_recipe.h"
#include "model/train/recipe/recipe.h"
#include "model/train/testing/stripes.h"

namespace anybit::model::train {
namespace {

TEST(ScaleClip, MovesWeightsToTheLimitOfTheirGroup) {
  // Mean magnitudes 2 and 1 of the filters, 1.5 of both, 4 of the third.
  const torch::Tensor weights =
      torch::tensor({{5.0f, -1.0f, 1.0f, -1.0f}, {0.0f, 0.0f, -4.0f, 0.0f}, {16.0f, 0.0f, 0.0f, 0.0f}});
  LayerWeights layer(weights, {}, {.rule = WeightRule::kScaleClip, .reach = 2, .group = 2});
  layer.Clip();
  EXPECT_TRUE(torch::allclose(
      weights, torch::tensor({{3.0f, -1.0f, 1.0f, -1.0f}, {0.0f, 0.0f, -3.0f, 0.0f}, {8.0f, 0.0f, 0.0f, 0.0f}})));
}

TEST(ScaleClip, OfActivationsIsAMultipleOfTheirMeanMagnitude) {
  const ActivationParameter clip(ActivationRule::kScaleClip, /*levels=*/15, /*reach=*/5);
  EXPECT_FALSE(clip.learned());
  const torch::Tensor parameter = clip.FromMean(torch::tensor(0.3f));
  EXPECT_FLOAT_EQ(parameter.item<float>(), 1.5f);
  EXPECT_FLOAT_EQ(clip.StepOf(parameter, {}).item<float>(), 0.1f);
}

std::vector<float> Clips(const TrainableNetwork& network, const std::string& point) {
  std::vector<float> clips;
  for (const auto& item : network->named_buffers()) {
    if (absl::StartsWith(item.key(), point) && absl::EndsWith(item.key(), "_clip")) {
      clips.push_back(item.value().item<float>());
    }
  }
  return clips;
}

class FollowingClips : public testing::Test {
 protected:
  static torch::Tensor Images(uint64_t seed) {
    const MemoryExamples examples = Stripes(32, seed);
    const auto rows = examples.rows(0, 32);
    return torch::tensor(std::vector<uint8_t>(rows.begin(), rows.end())).reshape({32, 16, 16, 1});
  }

  static TrainableNetwork Network(const char* recipe) {
    return TrainableNetwork(StripesNetwork(), *ParsePoints("fp32,w2a4,w4a4"), *ParseRecipe(recipe), /*seed=*/1);
  }
};

TEST_F(FollowingClips, HaveNoGradientAndMoveWithTheActivationsOfTheirPoint) {
  TrainableNetwork network = Network("gdrq");
  EXPECT_TRUE(network->steps().empty());
  const std::vector<float> initial = Clips(network, "w2a4");
  ASSERT_EQ(initial.size(), 6u);  // convolutions
  network->Forward(1, Images(1), /*momentum=*/0);
  EXPECT_EQ(Clips(network, "w2a4"), initial);
  network->Forward(1, Images(1), /*momentum=*/0.1).sum().backward();
  const std::vector<float> moved = Clips(network, "w2a4");
  for (size_t i = 0; i < moved.size(); ++i) EXPECT_NE(moved[i], initial[i]) << i;
  EXPECT_EQ(Clips(network, "w4a4"), initial);
  // A pass of another point through swapped blocks moves nothing.
  const std::vector<PointIndex> route(network->plan().nodes.size(), 1);
  network->Forward(2, Images(1), /*momentum=*/0.1, route);
  EXPECT_EQ(Clips(network, "w2a4"), moved);
}

TEST_F(FollowingClips, AreThoseOfTheBatchAfterAWholeMove) {
  TrainableNetwork network = Network("gdrq");
  network->CalibrateSteps(1, Images(1));
  const std::vector<float> calibrated = Clips(network, "w2a4");
  network->Forward(1, Images(2), /*momentum=*/1);
  EXPECT_NE(Clips(network, "w2a4"), calibrated);
  network->Forward(1, Images(1), /*momentum=*/1);
  const std::vector<float> again = Clips(network, "w2a4");
  for (size_t i = 0; i < again.size(); ++i) EXPECT_NEAR(again[i], calibrated[i], 1e-4 * calibrated[i]) << i;
}

TEST_F(FollowingClips, AreProportionalToTheReach) {
  TrainableNetwork five = Network("gdrq"), ten = Network("gdrq,activation_reach=10");
  five->CalibrateSteps(1, Images(1));
  ten->CalibrateSteps(1, Images(1));
  EXPECT_FLOAT_EQ(Clips(ten, "w2a4")[0], 2 * Clips(five, "w2a4")[0]);
}

}  // namespace
}  // namespace anybit::model::train
