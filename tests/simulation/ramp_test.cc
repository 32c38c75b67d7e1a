// The point of it all, in virtual time: as load ramps up beyond what the accurate points can carry, slackfit gives up
// accuracy rather than requests, and takes it back when the load is gone.
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string_view>
#include <vector>

#include "gtest/gtest.h"
#include "scheduler/policies/registry.h"
#include "scheduler/sim/traces/arrivals.h"
#include "scheduler/testing/rig.h"
#include "scheduler/testing/snapshot.h"

namespace anybit::simulation {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kObjective(60);
constexpr seconds kPhase(4);

struct PhaseResult {
  int offered = 0;
  int attained = 0;
  double accuracy_sum = 0;  // over the attained

  double attainment() const { return static_cast<double>(attained) / offered; }
  double accuracy() const { return accuracy_sum / attained; }
};

// The ramp 0.3x -> 3x -> 0.3x, in five phases of equal length: low, rising, high, falling, low again. 1x is what the
// slot carries at the most accurate point, 8 rows in 24 ms; at the least accurate one, 8 rows in 5.5 ms, it is 4.4x.
std::vector<PhaseResult> RunRamp(std::string_view policy, uint64_t* hash = nullptr) {
  const double capacity = 8 / 0.024;
  const double low = 0.3 * capacity;
  const double high = 3 * capacity;
  const scheduler::sim::RatePhase phases[] = {
      {kPhase, low, low}, {kPhase, low, high}, {kPhase, high, high}, {kPhase, high, low}, {kPhase, low, low}};
  const std::vector<MonoTime> arrivals = scheduler::sim::PoissonArrivals(phases, MonoTime(), 1);
  const scheduler::Profile profile = scheduler::testing::ThreePoints();
  scheduler::testing::Rig rig(profile, *scheduler::MakePolicy(policy, profile),
                              {.least_permille = 900, .most_permille = 1100});
  for (size_t i = 0; i < arrivals.size(); ++i) {
    rig.SubmitAt(arrivals[i], static_cast<int64_t>(i),
                 {.deadline = arrivals[i] + kObjective, .allowed = scheduler::testing::kAnyPoint});
  }
  rig.loop.Run();

  std::vector<PhaseResult> results(std::size(phases));
  for (size_t i = 0; i < arrivals.size(); ++i) {
    PhaseResult& result = results[static_cast<size_t>(arrivals[i].time_since_epoch() / kPhase)];
    ++result.offered;
    const scheduler::Outcome& outcome = rig.answer(static_cast<int64_t>(i)).outcome;
    if (!outcome.deadline_met) continue;
    ++result.attained;
    result.accuracy_sum += outcome.expected_accuracy;
  }
  if (hash != nullptr) *hash = rig.trace.hash();
  return results;
}

TEST(RampTest, SlackFitGoesDownInAccuracyUnderLoadAndComesUpAgain) {
  const std::vector<PhaseResult> phase = RunRamp("slackfit");
  EXPECT_GT(phase[0].accuracy(), 0.89);
  EXPECT_LT(phase[2].accuracy(), phase[0].accuracy() - 0.05);
  EXPECT_LT(phase[2].accuracy(), phase[1].accuracy());
  EXPECT_GT(phase[3].accuracy(), phase[2].accuracy());
  EXPECT_NEAR(phase[4].accuracy(), phase[0].accuracy(), 0.005);
  for (const PhaseResult& result : phase) EXPECT_GT(result.attainment(), 0.97);
}

TEST(RampTest, TheMostAccuratePointAloneLosesMostRequestsAtTheTop) {
  EXPECT_LT(RunRamp("fixed:hi")[2].attainment(), 0.5);
}

TEST(RampTest, TheSameRampRunsTheSameWayTwice) {
  uint64_t first = 0;
  uint64_t second = 0;
  RunRamp("slackfit", &first);
  RunRamp("slackfit", &second);
  EXPECT_EQ(first, second);
}

}  // namespace
}  // namespace anybit::simulation
