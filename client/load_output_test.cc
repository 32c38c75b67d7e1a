#include "client/load_output.h"

#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace anybit::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

LoadReport TwoSteps() {
  LoadReport report{.points = {{"w8a8", 0.92}, {"odd,\"name\"", std::nullopt}}};
  StepReport step;
  step.calls_per_second = 200;
  step.offered = 3;
  step.endings = {{Ending::kAttained, 2}, {Ending::kShed, 1}};
  step.p99 = milliseconds(12);
  step.points = {{"w8a8", 2}};
  step.kinds.resize(2);
  step.kinds[1].endings = {{Ending::kShed, 1}};
  report.steps = {step, step};
  report.steps[1].client_limited = true;
  report.steps[1].send_delay_p99 = milliseconds(7);
  Interval interval;
  static_cast<CallSummary&>(interval) = step;
  interval.begin = milliseconds(1500);
  interval.duration = milliseconds(500);
  interval.expected_accuracy = 0.92;
  report.timeline = {interval};
  return report;
}

LoadSent Sent() { return {.kinds = {{.name = "gold/a"}, {.name = "batch"}}, .model = "m", .capacity = 400}; }

TEST(LoadJson, HasTheKindsOfTheMixByName) {
  const std::vector<std::string> lines = absl::StrSplit(LoadJson(Sent(), TwoSteps()), '\n');
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_THAT(lines[0], HasSubstr(R"("mix":{"gold/a":{"offered":0,)"));
  EXPECT_THAT(lines[0], HasSubstr(R"("batch":{"offered":0,"attained":0,"late":0,"shed":1,)"));
  EXPECT_THAT(lines[1], HasSubstr(R"("send_delay_p99_ms":7,"client_limited":true)"));
}

TEST(LoadTable, HasARowForEachKindBelowItsStep) {
  const std::vector<std::string> lines = absl::StrSplit(LoadTable(Sent(), TwoSteps()), '\n');
  ASSERT_EQ(lines.size(), 9u);
  EXPECT_EQ(lines[0], "capacity 400.0 calls/s");
  EXPECT_THAT(lines[2], StartsWith("     200.0        3        2       0       1"));
  EXPECT_THAT(lines[3], StartsWith("    gold/a        0"));
  EXPECT_THAT(lines[4], StartsWith("     batch        0        0       0       1"));
}

TEST(LoadCsv, HasOneRowForEachInterval) {
  EXPECT_THAT(absl::StrSplit(LoadCsv(TwoSteps()), '\n'),
              ElementsAre("step,begin_s,seconds,offered,attained,late,shed,expired,failed,expected_accuracy,top1,"
                          "p50_ms,p90_ms,p99_ms,p999_ms,max_ms,answers_w8a8,\"answers_odd,\"\"name\"\"\"",
                          "0,1.500,0.500,3,2,0,1,0,0,0.9200,,0.000,0.000,12.000,0.000,0.000,2,0", ""));
}

TEST(LoadPercentiles, RisesToTheLargestLatencyAndEndsThere) {
  LoadReport report;
  for (int ms = 1; ms <= 1000; ++ms) report.latencies.push_back(milliseconds(ms));
  const std::string text = LoadPercentiles(report);
  EXPECT_THAT(text, HasSubstr("     500.000 0.500000000000        500           2.00\n"));
  EXPECT_THAT(text, HasSubstr("     750.000 0.750000000000        750           4.00\n"));
  EXPECT_THAT(text, HasSubstr("    1000.000 1.000000000000       1000\n#[Mean    =      500.500, StdDeviation"));
  EXPECT_THAT(text, HasSubstr("#[Max     =     1000.000, Total count    =         1000]"));
  EXPECT_THAT(LoadPercentiles({}), HasSubstr("Total count    =            0]"));
}

TEST(ClientLimitWarning, NamesTheStepsAndTheDelay) {
  EXPECT_THAT(ClientLimitWarning(TwoSteps()), HasSubstr("too late in step 2 (7.0 ms);"));
  EXPECT_EQ(ClientLimitWarning({}), "");
}

TEST(StepName, IsAMultipleOfTheCapacityOrARate) {
  StepReport step;
  step.calls_per_second = 200;
  EXPECT_EQ(StepName(Sent(), step), "0.5x");
  EXPECT_EQ(StepName({}, step), "200/s");
}

}  // namespace
}  // namespace anybit::client
