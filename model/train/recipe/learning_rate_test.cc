#include "model/train/recipe/learning_rate.h"

#include <gtest/gtest.h>

namespace anybit::model::train {
namespace {

TEST(LearningRate, RisesThenFallsInEachPhase) {
  const LearningRate rate{.peak = 2, .joint_peak = 1, .start_steps = 100, .joint_steps = 200};
  EXPECT_GT(rate.At(0), 0);
  for (int64_t step = 1; step < 10; ++step) EXPECT_GT(rate.At(step), rate.At(step - 1));
  EXPECT_DOUBLE_EQ(rate.At(10), 2);
  for (int64_t step = 11; step < 100; ++step) EXPECT_LT(rate.At(step), rate.At(step - 1));
  EXPECT_LT(rate.At(99), 0.001);
  EXPECT_LT(rate.At(100), 0.1);
  EXPECT_DOUBLE_EQ(rate.At(120), 1);
  EXPECT_NEAR(rate.At(210), 0.5, 1e-12);  // half of what remains after the warm-up
  EXPECT_LT(rate.At(299), 0.001);
}

TEST(LearningRate, NeedsNoStart) {
  const LearningRate rate{.peak = 2, .joint_peak = 1, .joint_steps = 10};
  EXPECT_DOUBLE_EQ(rate.At(1), 1);
}

}  // namespace
}  // namespace anybit::model::train
