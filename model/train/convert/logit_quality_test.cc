#include "model/train/convert/logit_quality.h"

#include <gtest/gtest.h>

#include <vector>

namespace anybit::model::train {
namespace {

TEST(LogitQuality, CountsRowsWithTheSameFirstClass) {
  const std::vector<float> exact = {1, 2, 3, 0, 5, 6}, logits = {0, 9, 4, 1, 2, 3};
  // Rows of two: the first classes are 1, 0 and 1, then 1, 0 and 1.
  EXPECT_EQ(CompareLogits(exact, logits, 2).agreement, 1);
  // Rows of three: 2 and 2, then 1 and 2.
  EXPECT_EQ(CompareLogits(exact, logits, 3).agreement, 0.5);
}

TEST(LogitQuality, IsTheRatioOfPowersInDecibels) {
  const std::vector<float> exact = {3, 4}, off = {3, 4.5f}, wrong = {-3, -4};
  EXPECT_NEAR(CompareLogits(exact, off, 2).sqnr, 20, 1e-9);
  EXPECT_NEAR(CompareLogits(exact, wrong, 2).sqnr, -6.0206, 1e-3);
  EXPECT_EQ(CompareLogits(exact, exact, 2).sqnr, 120);
  EXPECT_EQ(DecibelsOf(0, 0), 120);
  EXPECT_EQ(DecibelsOf(0, 1), -120);
}

}  // namespace
}  // namespace anybit::model::train
