#include "model/train/trainer/weight_average.h"

#include <gtest/gtest.h>

namespace anybit::model::train {
namespace {

TEST(WeightAverage, ForgetsTheStartOfAPhaseSooner) {
  torch::Tensor weight = torch::tensor({1.0f});
  WeightAverage average({weight}, /*decay=*/0.5);
  weight.fill_(11);
  average.Update(/*steps_of_phase=*/0);  // decay 1/10
  EXPECT_FLOAT_EQ(average.tensors()[0].item<float>(), 10);
  weight.fill_(20);
  average.Update(/*steps_of_phase=*/1000);  // decay 1/2
  EXPECT_FLOAT_EQ(average.tensors()[0].item<float>(), 15);
}

TEST(WeightAverage, RestartsFromThePresentWeights) {
  torch::Tensor weight = torch::tensor({1.0f});
  WeightAverage average({weight}, 0.5);
  weight.fill_(3);
  average.Reset();
  EXPECT_FLOAT_EQ(average.tensors()[0].item<float>(), 3);
}

TEST(WeightAverage, ReplacesTheWeightsInPlace) {
  torch::Tensor weight = torch::tensor({1.0f});
  WeightAverage average({weight}, 0.5);
  weight.fill_(3);
  average.Apply();
  EXPECT_FLOAT_EQ(weight.item<float>(), 1);
}

TEST(WeightAverage, LeavesTheWeightsAloneWithoutADecay) {
  torch::Tensor weight = torch::tensor({1.0f});
  WeightAverage average({weight}, 0);
  weight.fill_(3);
  average.Reset();
  average.Update(0);
  average.Apply();
  EXPECT_FLOAT_EQ(weight.item<float>(), 3);
  EXPECT_TRUE(average.tensors().empty());
}

}  // namespace
}  // namespace anybit::model::train
