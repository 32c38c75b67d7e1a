#include "server/model_statistics.h"

#include <chrono>

#include <gtest/gtest.h>

namespace anybit::server {
namespace {

using scheduler::OutcomeKind;
using std::chrono::microseconds;

WallTime AtThreeSeconds() { return WallTime(std::chrono::seconds(3)); }

class ModelStatisticsTest : public ::testing::Test {
 protected:
  void End(OutcomeKind kind, int rows = 1) {
    statistics_.OnEnded({.kind = kind,
                         .rows = rows,
                         .queue_time = microseconds(20),
                         .compute_time = microseconds(300),
                         .total_time = microseconds(400)});
  }
  void FinishBatch(int rows, bool ok = true) {
    statistics_.OnBatchFinished({.rows = rows, .computed = microseconds(250), .ok = ok});
  }

  ModelStatistics statistics_{8, AtThreeSeconds};
};

TEST_F(ModelStatisticsTest, WithoutRequestsAllCountsAreZero) {
  const inference::ModelStatistics none = statistics_.Snapshot();
  EXPECT_EQ(none.inference_count(), 0u);
  EXPECT_EQ(none.execution_count(), 0u);
  EXPECT_EQ(none.last_inference(), 0u);
  EXPECT_EQ(none.batch_stats_size(), 0);
  EXPECT_TRUE(none.inference_stats().has_cache_hit());
}

TEST_F(ModelStatisticsTest, InferencesAreRowsAndExecutionsAreBatches) {
  End(OutcomeKind::kServed, 3);
  End(OutcomeKind::kServed, 1);
  FinishBatch(4);
  const inference::ModelStatistics statistics = statistics_.Snapshot();
  EXPECT_EQ(statistics.inference_count(), 4u);
  EXPECT_EQ(statistics.execution_count(), 1u);
  EXPECT_EQ(statistics.last_inference(), 3000u);
  EXPECT_EQ(statistics.inference_stats().success().count(), 2u);
  EXPECT_EQ(statistics.inference_stats().success().ns(), 800'000u);
  EXPECT_EQ(statistics.inference_stats().queue().ns(), 40'000u);
  EXPECT_EQ(statistics.inference_stats().compute_infer().ns(), 600'000u);
  EXPECT_EQ(statistics.inference_stats().compute_input().count(), 2u);
}

TEST_F(ModelStatisticsTest, EachBatchSizeThatRanHasARow) {
  FinishBatch(2);
  FinishBatch(8);
  FinishBatch(2);
  const inference::ModelStatistics statistics = statistics_.Snapshot();
  ASSERT_EQ(statistics.batch_stats_size(), 2);
  EXPECT_EQ(statistics.batch_stats(0).batch_size(), 2u);
  EXPECT_EQ(statistics.batch_stats(0).compute_infer().count(), 2u);
  EXPECT_EQ(statistics.batch_stats(0).compute_infer().ns(), 500'000u);
  EXPECT_EQ(statistics.batch_stats(1).batch_size(), 8u);
}

TEST_F(ModelStatisticsTest, RefusedExpiredAndFailedRequestsAreFailures) {
  End(OutcomeKind::kShed);
  End(OutcomeKind::kExpired);
  End(OutcomeKind::kFailed);
  End(OutcomeKind::kUnavailable);
  End(OutcomeKind::kCancelled);
  FinishBatch(1, false);
  const inference::ModelStatistics statistics = statistics_.Snapshot();
  EXPECT_EQ(statistics.inference_stats().fail().count(), 4u);
  EXPECT_EQ(statistics.inference_stats().fail().ns(), 1'600'000u);
  EXPECT_EQ(statistics.inference_stats().success().count(), 0u);
  EXPECT_EQ(statistics.inference_count(), 0u);
  EXPECT_EQ(statistics.execution_count(), 0u);
}

}  // namespace
}  // namespace anybit::server
