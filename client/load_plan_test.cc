#include "client/load_plan.h"

#include <cmath>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace anybit::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<PlannedCall> Plan(std::vector<LoadStep> steps, const std::string& workload, int images, uint64_t seed) {
  absl::StatusOr<std::vector<PlannedCall>> plan = PlanLoad(steps, Traffic{.workload = workload}, images, seed);
  EXPECT_TRUE(plan.ok()) << plan.status();
  return plan.value_or(std::vector<PlannedCall>());
}

TEST(LoadPlan, SpacesConstantArrivalsEvenlyAndJoinsTheSteps) {
  const std::vector<PlannedCall> plan =
      Plan({{.calls_per_second = 4, .duration = seconds(1)}, {.calls_per_second = 2, .duration = seconds(1)}},
           "constant", 1, 1);
  std::vector<std::pair<nanoseconds, int>> calls;
  for (const PlannedCall& call : plan) calls.emplace_back(call.at, call.step);
  EXPECT_THAT(calls, ElementsAre(std::pair(milliseconds(0), 0), std::pair(milliseconds(250), 0),
                                 std::pair(milliseconds(500), 0), std::pair(milliseconds(750), 0),
                                 std::pair(milliseconds(1000), 1), std::pair(milliseconds(1500), 1)));
}

TEST(LoadPlan, SpacesPoissonArrivalsExponentially) {
  const std::vector<PlannedCall> plan = Plan({{.calls_per_second = 1000, .duration = seconds(100)}}, "poisson", 1, 7);
  // Of exponential gaps a share of e^-1 exceeds the mean.
  EXPECT_EQ(plan.size(), 100'000u);
  int long_gaps = 0;
  for (size_t i = 1; i < plan.size(); ++i) {
    ASSERT_LE(plan[i - 1].at, plan[i].at);
    long_gaps += plan[i].at - plan[i - 1].at > milliseconds(1);
  }
  EXPECT_NEAR(long_gaps / static_cast<double>(plan.size()), std::exp(-1.0), 0.01);
}

TEST(LoadPlan, IsTheSameForTheSameSeedAndAnotherForAnother) {
  const std::vector<LoadStep> steps = {{.calls_per_second = 100, .duration = seconds(1)}};
  const auto instants = [&](uint64_t seed) {
    std::vector<std::pair<nanoseconds, int>> calls;
    for (const PlannedCall& call : Plan(steps, "poisson", 1000, seed)) calls.emplace_back(call.at, call.image);
    return calls;
  };
  EXPECT_EQ(instants(3), instants(3));
  EXPECT_NE(instants(3), instants(4));
}

TEST(LoadPlan, KnowsTheWorkloadsOfTheSimulatorAndTheirTimeUnit) {
  // Half a trace at a third of the rate of the other half.
  const std::vector<LoadStep> steps = {{.calls_per_second = 1000, .duration = seconds(10)}};
  int early = 0;
  for (const PlannedCall& call : Plan(steps, "step", 1, 1)) early += call.at < seconds(5);
  EXPECT_NEAR(early, 2500, 5 * 50);
  const auto instants = [&](nanoseconds time_unit) {
    const absl::StatusOr<std::vector<PlannedCall>> plan =
        PlanLoad(steps, Traffic{.workload = "flash", .time_unit = time_unit}, 1, 1);
    EXPECT_TRUE(plan.ok()) << plan.status();
    std::vector<nanoseconds> at;
    for (const PlannedCall& call : plan.value_or(std::vector<PlannedCall>())) at.push_back(call.at);
    return at;
  };
  EXPECT_EQ(instants(milliseconds(50)), instants(milliseconds(50)));
  EXPECT_NE(instants(milliseconds(50)), instants(milliseconds(500)));
  EXPECT_THAT(PlanLoad(steps, Traffic{.workload = "tides"}, 1, 1).status().message(), HasSubstr("diurnal"));
}

TEST(LoadPlan, GivesEachStepOtherInstants) {
  std::vector<nanoseconds> first, second;
  const LoadStep step{.calls_per_second = 100, .duration = seconds(1)};
  for (const PlannedCall& call : Plan({step, step}, "poisson", 1, 3)) {
    (call.step == 0 ? first : second).push_back(call.at - seconds(call.step));
  }
  EXPECT_EQ(first.size(), second.size());
  EXPECT_NE(first, second);
}

TEST(LoadPlan, DrawsEveryImage) {
  std::vector<int> drawn(10, 0);
  for (const PlannedCall& call : Plan({{.calls_per_second = 10'000, .duration = seconds(1)}}, "constant", 10, 5)) {
    ++drawn.at(call.image);
  }
  for (const int count : drawn) EXPECT_NEAR(count, 1000, 150);
}

TEST(LoadPlan, DrawsKindsInProportionAndMovesNoCall) {
  const std::vector<LoadStep> steps = {{.calls_per_second = 10'000, .duration = seconds(1)}};
  const std::vector<double> weights = {6, 1, 3};
  const std::vector<PlannedCall> alone = Plan(steps, "poisson", 100, 5);
  const absl::StatusOr<std::vector<PlannedCall>> mixed = PlanLoad(steps, Traffic{}, 100, 5, weights);
  ASSERT_TRUE(mixed.ok()) << mixed.status();
  ASSERT_EQ(mixed->size(), alone.size());
  std::vector<double> drawn(weights.size(), 0);
  for (size_t i = 0; i < alone.size(); ++i) {
    EXPECT_EQ(alone[i].kind, 0);
    EXPECT_EQ((*mixed)[i].at, alone[i].at);
    EXPECT_EQ((*mixed)[i].image, alone[i].image);
    drawn.at(static_cast<size_t>((*mixed)[i].kind)) += 10. / static_cast<double>(alone.size());
  }
  for (size_t k = 0; k < weights.size(); ++k) EXPECT_NEAR(drawn[k], weights[k], 0.25);
}

TEST(LoadPlan, RefusesInvalidAndTooLargeLoads) {
  for (const LoadStep step : {LoadStep{.calls_per_second = 0, .duration = seconds(1)},
                              LoadStep{.calls_per_second = std::nan(""), .duration = seconds(1)},
                              LoadStep{.calls_per_second = 1, .duration = seconds(0)}}) {
    EXPECT_EQ(PlanLoad(std::vector{step}, Traffic{}, 1, 1).status().code(), absl::StatusCode::kInvalidArgument);
  }
  const std::vector<LoadStep> flood = {{.calls_per_second = 1e9, .duration = seconds(1)}};
  EXPECT_THAT(PlanLoad(flood, Traffic{}, 1, 1).status().message(), HasSubstr("1e+09 calls exceeds 2e+07"));
}

TEST(LoadRates, AreCallsPerSecondOrMultiplesOfTheCapacity) {
  EXPECT_THAT(ParseRates("0.5x,3x,40", 200).value(), ElementsAre(100, 600, 40));
  EXPECT_TRUE(NeedsCapacity("10,1x"));
  EXPECT_FALSE(NeedsCapacity("10,20"));
  for (const std::string wrong : {"", "1x,", "x", "-1", "nan", "infx", "1 2"}) {
    EXPECT_FALSE(ParseRates(wrong, 200).ok()) << wrong;
  }
}

}  // namespace
}  // namespace anybit::client
