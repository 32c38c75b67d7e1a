#include "scheduler/policies/anybit/anybit_options.h"

#include <optional>

#include "gtest/gtest.h"

namespace anybit::scheduler {
namespace {

TEST(AnybitOptionsTest, AnAssignmentChangesItsConstantAndNoOther) {
  const std::optional<AnybitOptions> options = WithOption("later_share=0.25");
  ASSERT_TRUE(options.has_value());
  EXPECT_EQ(options->later_share, 0.25);
  EXPECT_EQ(options->horizon, AnybitOptions().horizon);
  EXPECT_EQ(options->trial_divisor, AnybitOptions().trial_divisor);
}

TEST(AnybitOptionsTest, CountsAreAssignedAsWholeNumbers) {
  EXPECT_EQ(WithOption("trial_divisor=8")->trial_divisor, 8);
  EXPECT_EQ(WithOption("max_lookahead_batches=32")->max_lookahead_batches, 32);
  EXPECT_EQ(WithOption("late_check_interval=16.5")->late_check_interval, 16);
}

TEST(AnybitOptionsTest, UnknownNamesAndValuesOutOfRangeAreRefused) {
  for (const char* assignment : {"", "horizon", "horizon=", "=2", "depth=2", "horizon=far", "horizon=-1", "horizon=nan",
                                 "later_share=1.1", "trial_divisor=0", "Horizon=2", " horizon=2"}) {
    EXPECT_FALSE(WithOption(assignment).has_value()) << assignment;
  }
}

}  // namespace
}  // namespace anybit::scheduler
