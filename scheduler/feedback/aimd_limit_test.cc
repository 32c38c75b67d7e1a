#include "scheduler/feedback/aimd_limit.h"

#include "gtest/gtest.h"

namespace anybit::scheduler {
namespace {

TEST(AimdLimitTest, StartsAtOneRowAndGrowsByOneWithEachBatchInTime) {
  AimdLimit limit(64);
  EXPECT_EQ(limit.rows(), 1);
  for (int i = 0; i < 9; ++i) limit.Observe(true);
  EXPECT_EQ(limit.rows(), 10);
}

TEST(AimdLimitTest, ShrinksByATenthWithEachBatchThatHadALateMember) {
  AimdLimit limit(64);
  for (int i = 0; i < 9; ++i) limit.Observe(true);
  limit.Observe(false);
  EXPECT_DOUBLE_EQ(limit.rows(), 9);
  limit.Observe(false);
  EXPECT_DOUBLE_EQ(limit.rows(), 8.1);
}

TEST(AimdLimitTest, StaysBetweenOneAndTheLargestBatch) {
  AimdLimit limit(4);
  for (int i = 0; i < 10; ++i) limit.Observe(true);
  EXPECT_EQ(limit.rows(), 4);
  for (int i = 0; i < 100; ++i) limit.Observe(false);
  EXPECT_EQ(limit.rows(), 1);
}

}  // namespace
}  // namespace anybit::scheduler
