#include "scheduler/sim/sweep_report.h"

#include <chrono>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace anybit::scheduler::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// Of 10 requests against a bound of 10.
SweepRun RunOf(const std::string& workload, double load, const std::string& policy, double utility_sum) {
  return {.workload = workload,
          .load = load,
          .seed = 1,
          .policy = policy,
          .summary = {.offered = 10,
                      .attained = 9,
                      .shed = 1,
                      .attainment = 0.9,
                      .utility = utility_sum / 10,
                      .utility_sum = utility_sum,
                      .served_accuracy = utility_sum / 9},
          .bound = UtilityBound{.sum = 10, .exact = true}};
}

std::vector<SweepRun> TwoPoliciesOnFourTraces() {
  return {RunOf("step", 0.5, "bad", 5), RunOf("step", 0.5, "good", 8), RunOf("step", 1, "bad", 4),
          RunOf("step", 1, "good", 9),  RunOf("mmpp", 0.5, "bad", 6),  RunOf("mmpp", 0.5, "good", 7),
          RunOf("mmpp", 1, "bad", 3),   RunOf("mmpp", 1, "good", 6)};
}

TEST(SweepReportTest, CsvHasALineForEachRunAndEmptyCellsForAbsentValues) {
  std::vector<SweepRun> runs = {RunOf("step", 0.5, "bad", 5), RunOf("step", 1, "good", 9)};
  runs[1].bound.reset();
  runs[1].summary.latency = {
      .p50 = milliseconds(1), .p90 = milliseconds(2), .p99 = milliseconds(3), .p999 = milliseconds(4)};
  EXPECT_EQ(SweepCsv(runs),
            "workload,load,seed,policy,offered,attained,late,shed,expired,attainment,served_accuracy,utility,bound,"
            "bound_exact,utility_over_bound,goodput,p50_ms,p90_ms,p99_ms,p999_ms,mean_batch,switches_per_second,"
            "replaced_decisions\n"
            "step,0.5,1,bad,10,9,0,1,0,0.9,0.555556,0.5,10,1,0.5,0,,,,,0,0,0\n"
            "step,1,1,good,10,9,0,1,0,0.9,1,0.9,,,,0,1,2,3,4,0,0,0\n");
}

TEST(SweepReportTest, ThePolicyTableRanksByTheMeanOverAllTraces) {
  EXPECT_EQ(PolicyTable(TwoPoliciesOnFourTraces()),
            "| policy | utility / bound: mean | median |     p5 |  least | attainment | served accuracy |\n"
            "|--------|----------------------:|-------:|-------:|-------:|-----------:|----------------:|\n"
            "| good   |                0.7500 | 0.7000 | 0.6000 | 0.6000 |     0.9000 |          0.8333 |\n"
            "| bad    |                0.4500 | 0.4000 | 0.3000 | 0.3000 |     0.9000 |          0.5000 |\n");
}

TEST(SweepReportTest, WithoutABoundPoliciesAreComparedByTheirUtility) {
  std::vector<SweepRun> runs = TwoPoliciesOnFourTraces();
  for (SweepRun& run : runs) run.bound.reset();
  EXPECT_THAT(PolicyTable(runs), StartsWith("| policy | utility: mean |"));
  EXPECT_THAT(SweepFigure(runs, "c"), Not(HasSubstr("utility / bound")));
}

TEST(SweepReportTest, ThePageHasATableOfLoadsForEachWorkload) {
  const std::string page = SweepMarkdown("Title", TwoPoliciesOnFourTraces());
  EXPECT_THAT(page, StartsWith("# Title\n\n| policy |"));
  EXPECT_THAT(page, HasSubstr("\n## mmpp: utility / bound\n\n"
                              "| load |    0.5 |      1 |\n"
                              "|------|-------:|-------:|\n"
                              "| bad  | 0.6000 | 0.3000 |\n"
                              "| good | 0.7000 | 0.6000 |\n"));
}

TEST(SweepReportTest, TheFigureDrawsEachPolicysMeanOverTheWorkloads) {
  const std::string svg = SweepFigure(TwoPoliciesOnFourTraces(), "the caption");
  EXPECT_THAT(svg, AllOf(StartsWith("<svg "), HasSubstr("the caption"), HasSubstr(">good</text>"), HasSubstr("90 %")));
  EXPECT_THAT(svg, HasSubstr("82 %")) << "what is equal everywhere stands at the top of its panel";
  // The means of "bad", 0.55 and 0.35, and of "good", 0.75 both, on an axis from 0.3 to 0.8 between 292 and 62.
  EXPECT_THAT(svg, HasSubstr("points=\"58.0,177.0 418.0,269.0 \""));
  EXPECT_THAT(svg, HasSubstr("points=\"58.0,85.0 418.0,85.0 \""));
}

TEST(SweepReportTest, PoliciesOfOnePointAreDashed) {
  const std::string svg = SweepFigure(std::vector{RunOf("step", 1, "good", 9), RunOf("step", 1, "fixed:hi", 5)}, "c");
  EXPECT_THAT(svg, HasSubstr("stroke=\"#0b6e4f\" stroke-width=\"3\"/>"));
  EXPECT_THAT(svg, HasSubstr("stroke=\"#3b6fb5\" stroke-width=\"1.7\" stroke-dasharray=\"5 3\"/>"));
}

TEST(SweepReportTest, TheTimelineStacksTheMostAccuratePointAtTheBottom) {
  const PointTable points = {{.name = "lo", .accuracy = 0.7}, {.name = "hi", .accuracy = 0.9}};
  const Timeline timeline{.bin = seconds(2), .offered = {10, 10}, .attained = {{4, 0}, {6, 2}}};
  const std::string svg = TimelineFigure(points, timeline, "c");
  const size_t hi = svg.find(">hi (90.00 %)<"), lo = svg.find(">lo (70.00 %)<");
  EXPECT_LT(hi, lo);
  EXPECT_NE(lo, std::string::npos);
  // 10 requests in 2 s are 5 per second, the axis' end at 62; "hi" has 3 and 1 of them, from 292 up.
  EXPECT_THAT(svg, HasSubstr("points=\"58.0,154.0 438.0,154.0 438.0,246.0 818.0,246.0 "));
  EXPECT_THAT(svg, HasSubstr("points=\"58.0,62.0 438.0,62.0 438.0,62.0 818.0,62.0 \" fill=\"none\""));
}

}  // namespace
}  // namespace anybit::scheduler::sim
