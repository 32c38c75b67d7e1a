#include "scheduler/sim/fleet/fleet.h"

#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "scheduler/sim/fleet/day.h"
#include "scheduler/sim/fleet/fleet_report.h"
#include "scheduler/sim/fleet/replica.h"
#include "scheduler/testing/snapshot.h"

namespace anybit::scheduler::sim {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::HasSubstr;

// "hi" takes 3 ms a row in its largest batch, so a replica serves 333 rows a second at full accuracy; "lo" is six times
// as fast.
Profile TwoPoints() {
  return testing::AffineProfile(
      {{"hi", .9, milliseconds(10), milliseconds(2)}, {"lo", .7, milliseconds(1), milliseconds(1) / 2}}, 8);
}

FleetOptions Options() {
  return {.autoscaler = {.targets = {0.02, 0.25, 0.7}, .min_replicas = 1, .max_replicas = 8},
          .objective = milliseconds(100),
          .time_lapse = 60};
}

// A steady load of two hours, shortened as the options say.
absl::StatusOr<FleetResult> Steady(double per_second, const FleetOptions& options) {
  const std::vector<RatePhase> phases = {{hours(2), per_second, per_second}};
  return RunFleet(TwoPoints(), PoissonArrivals(Shortened(phases, options.time_lapse), MonoTime(), 1), hours(2),
                  options);
}

TEST(Fleet, KeepsItsLeastReplicasUnderALowLoad) {
  const absl::StatusOr<FleetResult> result = Steady(50, Options());
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->most_replicas, 1);
  EXPECT_EQ(result->started, 0);
  EXPECT_DOUBLE_EQ(result->total.replica_hours, 2);
  EXPECT_DOUBLE_EQ(result->total.hours, 2);
  EXPECT_EQ(result->intervals.size(), 24u);
  EXPECT_GT(result->total.attainment(), .999);
  EXPECT_GT(result->total.accuracy(), .89);
}

TEST(Fleet, GrowsUntilEachReplicaHasItsTargetOfTheLoad) {
  // 583 rows a second are 1.75 replicas at full accuracy: 2.5 at 0.7 of each, and rounded up.
  const absl::StatusOr<FleetResult> result = Steady(583, Options());
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_NEAR(result->intervals.back().replicas(), 3, 0.01);
  EXPECT_GT(result->intervals.back().accuracy(), .88);
  EXPECT_GT(result->total.attainment(), .99);
}

TEST(Fleet, MeetsALoadThatComesAtOnceWithAccuracyWhereAFixedPointMissesDeadlines) {
  FleetOptions options = Options();
  const absl::StatusOr<FleetResult> adaptive = Steady(700, options);
  options.policy = "fixed:hi";
  const absl::StatusOr<FleetResult> fixed = Steady(700, options);
  ASSERT_TRUE(adaptive.ok() && fixed.ok());
  EXPECT_GT(adaptive->intervals.front().attainment(), .99);
  EXPECT_LT(fixed->intervals.front().attainment(), .9);
  EXPECT_LT(adaptive->intervals.front().accuracy(), .9);
  EXPECT_NEAR(fixed->intervals.front().accuracy(), .9, 1e-9);
}

TEST(Fleet, AsksNothingOfAReplicaThatStarts) {
  FleetOptions options = Options();
  options.policy = "fixed:hi";
  options.startup = hours(1);
  const absl::StatusOr<FleetResult> result = Steady(700, options);
  ASSERT_TRUE(result.ok()) << result.status();
  // One replica does what it can, about half, for the first hour.
  EXPECT_LT(result->intervals[11].attainment(), .6);
  EXPECT_GT(result->intervals[23].attainment(), .99);
  EXPECT_GT(result->intervals[11].replicas(), 2);
}

TEST(Fleet, RefusesTargetsAndReplicasThatAreNoRule) {
  FleetOptions options = Options();
  options.autoscaler.targets = {1, 2};
  EXPECT_THAT(Steady(1, options).status().message(), HasSubstr("2 targets for 3 signals"));
  options = Options();
  options.autoscaler.max_replicas = 0;
  EXPECT_THAT(Steady(1, options).status().message(), HasSubstr("1 to 0 replicas"));
  options = Options();
  options.policy = "none";
  EXPECT_FALSE(Steady(1, options).ok());
}

TEST(ReplicaMetrics, AreTheSignalsThatPrometheusComputes) {
  ReplicaMetrics metrics(TwoPoints(), 2);
  metrics.Scrape(MonoTime(seconds(0)));
  EXPECT_FALSE(metrics.Signals(minutes(1)).front().has_value());
  metrics.OnQueue({.waiting_rows = 8});
  metrics.OnDispatched({.rows = 4000});
  // Half of the answers are at each point; one request in five is refused.
  for (int i = 0; i < 2; ++i) {
    metrics.OnEnded({.kind = OutcomeKind::kServed, .expected_accuracy = .9});
    metrics.OnEnded({.kind = OutcomeKind::kServed, .expected_accuracy = .7});
  }
  metrics.OnEnded({.kind = OutcomeKind::kShed});
  metrics.Scrape(MonoTime(seconds(40)));
  const std::vector<std::optional<double>> signals = metrics.Signals(minutes(1));
  ASSERT_EQ(signals.size(), 3u);
  // A mean of nothing and of 8 rows of 3 ms on two slots.
  EXPECT_NEAR(*signals[0], 0.006, 1e-9);
  EXPECT_NEAR(*signals[1], 0.5, 1e-9);
  // 100 rows a second, and a quarter more for what was refused, of 3 ms on two slots.
  EXPECT_NEAR(*signals[2], 100 * 1.25 * .003 / 2, 1e-9);
}

TEST(ReplicaMetrics, ForgetWhatIsOlderThanTheirWindows) {
  ReplicaMetrics metrics(TwoPoints(), 1);
  metrics.Scrape(MonoTime(seconds(0)));
  metrics.OnQueue({.waiting_rows = 100});
  metrics.OnDispatched({.rows = 1000});
  for (int s = 15; s <= 180; s += 15) {
    metrics.Scrape(MonoTime(seconds(s)));
    metrics.OnQueue({});
  }
  EXPECT_EQ(*metrics.Signals(minutes(1))[0], 0);
  EXPECT_EQ(*metrics.Signals(minutes(1))[2], 0);
}

TEST(DayPhases, AreADayWithItsPeakInTheEveningAndFourCrowds) {
  const std::vector<RatePhase> phases = DayPhases(1000);
  EXPECT_EQ(LengthOf(phases), hours(24));
  EXPECT_DOUBLE_EQ(phases[19 * 60].from_per_second, 1000);
  EXPECT_DOUBLE_EQ(phases[4 * 60].from_per_second, 240 * (1 + std::exp(-5)));
  // At half past three the rate doubles at once.
  EXPECT_DOUBLE_EQ(phases[209].to_per_second * 2, phases[210].from_per_second);
  EXPECT_EQ(LengthOf(Shortened(phases, 30)), minutes(48));
}

TEST(RecordedPhases, FollowTheMinutesOfARecordingAtAnotherMeanRate) {
  const std::vector<MonoTime> instants = {MonoTime(seconds(1)), MonoTime(seconds(2)), MonoTime(seconds(30)),
                                          MonoTime(seconds(130))};
  const std::vector<RatePhase> phases = RecordedPhases(instants, 10);
  ASSERT_EQ(phases.size(), 3u);
  EXPECT_DOUBLE_EQ(phases[0].from_per_second, 22.5);
  EXPECT_DOUBLE_EQ(phases[1].to_per_second, 0);
  EXPECT_DOUBLE_EQ(phases[2].from_per_second, 7.5);
}

TEST(FleetReport, ShowsEachPolicyInTableFigureAndJson) {
  FleetInterval interval{.hours = 12, .offered = 100, .attained = 90, .accuracy_sum = 81, .replica_hours = 30};
  FleetResult result{.intervals = {interval, interval}, .most_replicas = 4, .started = 7};
  result.intervals[1].attained = 80;
  result.total = {.hours = 24, .offered = 200, .attained = 170, .accuracy_sum = 153, .replica_hours = 60};
  const std::vector<FleetReport> reports = {{"anybit", result}, {"fixed:w8a8", result}};
  EXPECT_THAT(FleetTable(reports), AllOf(HasSubstr("| fixed:w8a8 |          60.0 |           2.50 |    4 |       7 |"),
                                         HasSubstr("85.00 %"), HasSubstr("80.00 %"), HasSubstr("90.00 %")));
  EXPECT_THAT(FleetFigure(reports, "a day"),
              AllOf(HasSubstr("replicas, over the hours"), HasSubstr("fixed:w8a8"), HasSubstr("a day")));
  EXPECT_THAT(FleetJson(reports),
              HasSubstr(R"({"policy":"anybit","hours":24,"replica_hours":60,"mean_replicas":2.5,)"));
}

}  // namespace
}  // namespace anybit::scheduler::sim
