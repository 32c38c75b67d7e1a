#include "scheduler/sim/summary.h"

#include <chrono>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace anybit::scheduler::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;

constexpr PointId kHi = ToPointId(0);
constexpr PointId kLo = ToPointId(1);
const PointTable& Points() {
  static const PointTable points = {{.name = "hi", .accuracy = 0.9}, {.name = "lo", .accuracy = 0.7}};
  return points;
}

MonoTime T(Duration d) { return MonoTime(d); }

// Ten requests, one each 100 ms, and what became of them: four served in time at "hi" after 10, 20, 30 and 40 ms, two
// at "lo" after 5 ms, one late, two shed, one expired.
struct Scenario {
  std::vector<OfferedRequest> requests;
  SimulationResult result;
};

Scenario TenRequests() {
  Scenario run;
  for (int i = 0; i < 10; ++i) {
    run.requests.push_back({.id = i, .arrival = T(milliseconds(100 * i)), .deadline = T(milliseconds(100 * i + 50))});
  }
  const auto served = [&](int i, PointId point, int latency_ms, bool in_time) {
    return RequestRecord{.kind = OutcomeKind::kServed,
                         .in_time = in_time,
                         .point = point,
                         .batch_rows = 1,
                         .start = T(milliseconds(100 * i)),
                         .finish = T(milliseconds(100 * i + latency_ms)),
                         .answered = T(milliseconds(100 * i + latency_ms))};
  };
  run.result.requests = {served(0, kHi, 20, true),     served(1, kHi, 10, true),     served(2, kHi, 40, true),
                         served(3, kHi, 30, true),     served(4, kLo, 5, true),      served(5, kLo, 5, true),
                         {.kind = OutcomeKind::kShed}, {.kind = OutcomeKind::kShed}, {.kind = OutcomeKind::kExpired},
                         served(9, kHi, 100, false)};
  return run;
}

TEST(SummaryTest, CountsOutcomesAndWeighsTheAttainedWithTheirAccuracy) {
  const Scenario run = TenRequests();
  const Summary summary = Summarize(Points(), run.requests, run.result);
  EXPECT_EQ(summary.offered, 10);
  EXPECT_EQ(summary.attained, 6);
  EXPECT_EQ(summary.late, 1);
  EXPECT_EQ(summary.shed, 2);
  EXPECT_EQ(summary.expired, 1);
  EXPECT_EQ(summary.otherwise, 0);
  EXPECT_DOUBLE_EQ(summary.attainment, 0.6);
  EXPECT_DOUBLE_EQ(summary.utility_sum, 5.0);
  EXPECT_DOUBLE_EQ(summary.utility, 0.5);
  EXPECT_DOUBLE_EQ(summary.served_accuracy.value(), 5.0 / 6);
  EXPECT_THAT(summary.attained_by_point, ElementsAre(4, 2)) << "the late one is no one's";
}

TEST(SummaryTest, RatesAreOverTheTimeFromTheFirstArrivalToTheLastAnswer) {
  const Scenario run = TenRequests();
  const Summary summary = Summarize(Points(), run.requests, run.result);
  EXPECT_EQ(summary.span, seconds(1)) << "0 to the late answer at 1 s";
  EXPECT_DOUBLE_EQ(summary.goodput, 6);
  EXPECT_DOUBLE_EQ(summary.offered_per_second, 10);
}

TEST(SummaryTest, LatencyQuantilesAreThoseOfTheAttainedByNearestRank) {
  const Scenario run = TenRequests();
  const Summary summary = Summarize(Points(), run.requests, run.result);
  // 5 5 10 20 30 40
  EXPECT_EQ(summary.latency->p50, milliseconds(10));
  EXPECT_EQ(summary.latency->p90, milliseconds(40));
  EXPECT_EQ(summary.latency->p999, milliseconds(40));
}

TEST(SummaryTest, ASwitchIsABatchAtAnotherPointThanTheLastOneOfItsSlot) {
  Scenario run = TenRequests();
  run.result.batches = {{.slot = 0, .point = kHi, .rows = 1},
                        {.slot = 1, .point = kLo, .rows = 2},
                        {.slot = 0, .point = kHi, .rows = 3},
                        {.slot = 1, .point = kHi, .rows = 4},
                        {.slot = 0, .point = kLo, .rows = 5}};
  const Summary summary = Summarize(Points(), run.requests, run.result);
  EXPECT_DOUBLE_EQ(summary.switches_per_second, 2);
  EXPECT_DOUBLE_EQ(summary.mean_batch, 3);
  EXPECT_EQ(summary.batches, 5);
}

TEST(SummaryTest, FairnessIsJainsIndexOverTheTenantsAttainments) {
  Scenario run = TenRequests();
  EXPECT_FALSE(Summarize(Points(), run.requests, run.result).fairness.has_value()) << "one tenant";
  // The first 5, all attained, are tenant 1's; of the other 5 one is.
  for (int i = 0; i < 5; ++i) run.requests[static_cast<size_t>(i)].tenant = TenantId{1};
  EXPECT_DOUBLE_EQ(*Summarize(Points(), run.requests, run.result).fairness, 1.2 * 1.2 / (2 * (1 + 0.04)));
  for (RequestRecord& record : run.result.requests) record = {.kind = OutcomeKind::kShed};
  EXPECT_DOUBLE_EQ(*Summarize(Points(), run.requests, run.result).fairness, 1);
}

TEST(SummaryTest, DecisionTimesAreReportedWhereTheyWereMeasured) {
  Scenario run = TenRequests();
  EXPECT_FALSE(Summarize(Points(), run.requests, run.result).decision_p50_ns.has_value());
  run.result.decision_ns = {900, 100, 300};
  const Summary summary = Summarize(Points(), run.requests, run.result);
  EXPECT_EQ(summary.decision_p50_ns, 300);
  EXPECT_EQ(summary.decision_p99_ns, 900);
}

TEST(SummaryTest, WithoutRequestsNothingIsAttained) {
  const Summary summary = Summarize(Points(), {}, {});
  EXPECT_EQ(summary.offered, 0);
  EXPECT_EQ(summary.attainment, 0);
  EXPECT_EQ(summary.goodput, 0);
  EXPECT_FALSE(summary.served_accuracy.has_value());
  EXPECT_FALSE(summary.latency.has_value());
}

TEST(SummaryTest, ATimelineCountsRequestsWhereTheyArrived) {
  const Scenario run = TenRequests();
  const Timeline timeline = MakeTimeline(Points(), run.requests, run.result, 3);
  EXPECT_EQ(timeline.start, MonoTime());
  EXPECT_EQ(timeline.bin, milliseconds(300) + Duration(1));
  EXPECT_THAT(timeline.offered, ElementsAre(4, 3, 3));
  EXPECT_THAT(timeline.attained, ElementsAre(ElementsAre(4, 0, 0), ElementsAre(0, 2, 0)));
}

}  // namespace
}  // namespace anybit::scheduler::sim
