#include "model/train/trainer/frozen_teacher.h"

#include <torch/torch.h>

#include <vector>

#include <gtest/gtest.h>

#include "model/train/testing/stripes.h"

namespace anybit::model::train {
namespace {

TEST(FrozenTeacher, KeepsTheLogitsOfTheNetworkThatItAdopted) {
  const TrainerOptions options{.recipe = *ParseRecipe("coquant,weights=learned,logits=frozen"), .seed = 2};
  const std::vector<PointRecipe> points = *ParsePoints("w4a4,fp32");
  TrainableNetwork network(StripesNetwork(), points, options.recipe, /*seed=*/1);
  FrozenTeacher frozen(StripesNetwork(), points[1], options);
  torch::manual_seed(1);
  const torch::Tensor images = torch::randint(0, 256, {8, 16, 16, 1}).to(torch::kUInt8);
  const torch::Tensor other = frozen.Logits(images);
  const torch::Tensor adopted = network->Forward(/*point=*/1, images).detach();
  EXPECT_FALSE(other.equal(adopted));
  frozen.Adopt(network);
  EXPECT_TRUE(frozen.Logits(images).equal(adopted));
  EXPECT_FALSE(frozen.Logits(images).requires_grad());
  {
    torch::NoGradGuard no_gradient;
    for (const torch::Tensor& weights : network->weights()) weights.mul_(-1);
    network->WeightsChanged();
  }
  EXPECT_FALSE(network->Forward(1, images).equal(adopted));
  EXPECT_TRUE(frozen.Logits(images).equal(adopted));
}

}  // namespace
}  // namespace anybit::model::train
