#include "scheduler/sim/sweep.h"

#include <chrono>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "scheduler/testing/snapshot.h"

namespace anybit::scheduler::sim {
namespace {

using scheduler::testing::ThreePoints;
using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

SweepOptions SmallSweep() {
  return {.workloads = {"poisson", "step"},
          .loads = {0.5, 2},
          .seeds = {1, 2},
          .policies = {"slackfit", "fixed:lo"},
          .requests = 200,
          .objective = milliseconds(60)};
}

std::vector<std::string> Names(const std::vector<SweepRun>& runs) {
  std::vector<std::string> names;
  for (const SweepRun& run : runs) {
    names.push_back(run.workload + " " + std::to_string(run.load).substr(0, 3) + " " + std::to_string(run.seed) + " " +
                    run.policy);
  }
  return names;
}

TEST(SweepTest, RunsEveryPolicyOnEveryTraceInTheOrderGiven) {
  SweepOptions options = SmallSweep();
  options.workloads = {"step"};
  const auto runs = RunSweep(ThreePoints(), options);
  ASSERT_TRUE(runs.ok()) << runs.status();
  EXPECT_THAT(Names(*runs),
              ElementsAre("step 0.5 1 slackfit", "step 0.5 1 fixed:lo", "step 0.5 2 slackfit", "step 0.5 2 fixed:lo",
                          "step 2.0 1 slackfit", "step 2.0 1 fixed:lo", "step 2.0 2 slackfit", "step 2.0 2 fixed:lo"));
  for (const SweepRun& run : *runs) {
    EXPECT_EQ(run.summary.offered, 200);
    ASSERT_TRUE(run.bound.has_value());
    EXPECT_LE(run.summary.utility_sum, run.bound->sum + 1e-9);
    EXPECT_EQ(run.timeline.offered.size(), 60u);
  }
  EXPECT_EQ((*runs)[0].bound->sum, (*runs)[1].bound->sum) << "the bound is the trace's";
  EXPECT_NE((*runs)[0].summary.span, (*runs)[2].summary.span) << "another seed is another trace";
}

TEST(SweepTest, TheNumberOfThreadsChangesNothing) {
  SweepOptions options = SmallSweep();
  options.simulation.noise = 0.1;
  const std::vector<SweepRun> one = *RunSweep(ThreePoints(), options);
  options.jobs = 3;
  const std::vector<SweepRun> three = *RunSweep(ThreePoints(), options);
  EXPECT_EQ(Names(one), Names(three));
  for (size_t i = 0; i < one.size(); ++i) {
    EXPECT_EQ(one[i].summary.utility_sum, three[i].summary.utility_sum);
    EXPECT_EQ(one[i].summary.span, three[i].summary.span);
  }
}

TEST(SweepTest, AnErrorNamesTheWrongOption) {
  SweepOptions options = SmallSweep();
  options.jobs = 2;
  options.workloads.push_back("weekend");
  EXPECT_THAT(RunSweep(ThreePoints(), options).status().message(), HasSubstr("weekend"));
}

TEST(SweepTest, UtilityOverBoundNeedsABoundAboveZero) {
  EXPECT_EQ(UtilityOverBound({.utility_sum = 3}, UtilityBound{.sum = 4}), 0.75);
  EXPECT_EQ(UtilityOverBound({.utility_sum = 3}, std::nullopt), std::nullopt);
  EXPECT_EQ(UtilityOverBound({}, UtilityBound{}), std::nullopt);
}

}  // namespace
}  // namespace anybit::scheduler::sim
