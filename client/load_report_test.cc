#include "client/load_report.h"

#include <utility>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace anybit::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::Pair;

InferResult AnswerAt(const std::string& point, int64_t accuracy_bp, int top_class) {
  InferResult result{.rows = 1, .classes = 10, .logits = std::vector<float>(10, 0.0f)};
  result.logits[static_cast<size_t>(top_class)] = 1;
  result.served = {.operating_point = point, .expected_accuracy_bp = accuracy_bp};
  return result;
}

TEST(ReportLoad, CountsEachStepByItself) {
  const std::vector<LoadStep> steps = {{.calls_per_second = 4, .duration = seconds(1)},
                                       {.calls_per_second = 1, .duration = seconds(1)}};
  const std::vector<PlannedCall> plan = {{.step = 0, .image = 0},
                                         {.step = 0, .image = 1},
                                         {.step = 0, .image = 0},
                                         {.step = 0, .image = 1},
                                         {.step = 1, .image = 0}};
  const std::vector<uint8_t> labels = {3, 5};
  const std::vector<CallOutcome> outcomes = {
      JudgeCall(AnswerAt("w8a8", 9200, 3), milliseconds(10), milliseconds(20)),  // right
      JudgeCall(AnswerAt("w1a1", 8000, 3), milliseconds(12), milliseconds(20)),  // wrong
      JudgeCall(AnswerAt("w1a1", 1000, 3), milliseconds(30), milliseconds(20)),  // late: no part in the accuracies
      JudgeCall(absl::ResourceExhaustedError(""), milliseconds(1), milliseconds(20)),
      JudgeCall(absl::DeadlineExceededError(""), milliseconds(1), milliseconds(20)),
  };
  const std::vector<StepReport> reports = ReportLoad(steps, plan, outcomes, {.labels = labels}).steps;
  ASSERT_EQ(reports.size(), 2u);
  EXPECT_EQ(reports[0].offered, 4);
  EXPECT_EQ(reports[0].endings.at(Ending::kAttained), 2);
  EXPECT_EQ(reports[0].endings.at(Ending::kLate), 1);
  EXPECT_EQ(reports[0].endings.at(Ending::kShed), 1);
  EXPECT_DOUBLE_EQ(reports[0].attainment, 0.5);
  EXPECT_DOUBLE_EQ(reports[0].expected_accuracy.value(), 0.86);
  EXPECT_DOUBLE_EQ(reports[0].top1.value(), 0.5);
  EXPECT_EQ(reports[0].p50, milliseconds(12));
  EXPECT_EQ(reports[0].p90, milliseconds(30));
  EXPECT_EQ(reports[0].p99, milliseconds(30));
  EXPECT_EQ(reports[0].p999, milliseconds(30));
  EXPECT_EQ(reports[0].max, milliseconds(30));
  EXPECT_THAT(reports[0].points, ElementsAre(Pair("w1a1", 2), Pair("w8a8", 1)));
  EXPECT_EQ(reports[1].endings.at(Ending::kExpired), 1);
  EXPECT_DOUBLE_EQ(reports[1].attainment, 0);
  EXPECT_EQ(reports[1].top1, std::nullopt);
  EXPECT_EQ(reports[1].p99, seconds(0));
}

TEST(ReportLoad, ReportsOnlyTheEndedCallsOfAnInterruptedLoad) {
  const std::vector<LoadStep> steps(3, {.calls_per_second = 2, .duration = seconds(1)});
  const std::vector<PlannedCall> plan = {{.step = 0}, {.step = 0}, {.step = 1}, {.step = 1}, {.step = 2}};
  const CallOutcome attained = JudgeCall(AnswerAt("w8a8", 9200, 0), milliseconds(10), milliseconds(20));
  const CallOutcome unended = {.ending = Ending::kUnended};
  const std::vector<CallOutcome> outcomes = {attained, attained, attained, unended, unended};
  const std::vector<StepReport> reports = ReportLoad(steps, plan, outcomes).steps;
  ASSERT_EQ(reports.size(), 2u);
  EXPECT_TRUE(reports[0].complete);
  EXPECT_EQ(reports[0].offered, 2);
  EXPECT_FALSE(reports[1].complete);
  EXPECT_EQ(reports[1].offered, 1);
  EXPECT_DOUBLE_EQ(reports[1].attainment, 1);
}

TEST(ReportLoad, TellsTheKindsOfAStepApart) {
  const std::vector<LoadStep> steps = {{.calls_per_second = 3, .duration = seconds(1)}};
  const std::vector<PlannedCall> plan = {{.kind = 0}, {.kind = 1}, {.kind = 1}};
  const std::vector<CallOutcome> outcomes = {
      JudgeCall(AnswerAt("w8a8", 9200, 0), milliseconds(10), milliseconds(20)),
      JudgeCall(AnswerAt("w1a1", 8000, 0), milliseconds(5), milliseconds(20)),
      JudgeCall(absl::ResourceExhaustedError(""), milliseconds(1), milliseconds(20))};
  const LoadReport report = ReportLoad(steps, plan, outcomes, {.kinds = 2});
  ASSERT_EQ(report.steps[0].kinds.size(), 2u);
  EXPECT_EQ(report.steps[0].kinds[0].offered, 1);
  EXPECT_EQ(report.steps[0].kinds[0].p99, milliseconds(10));
  EXPECT_EQ(report.steps[0].kinds[1].CountOf(Ending::kShed), 1);
  EXPECT_DOUBLE_EQ(report.steps[0].kinds[1].attainment, 0.5);
  EXPECT_DOUBLE_EQ(report.steps[0].kinds[1].expected_accuracy.value(), 0.8);
}

TEST(ReportLoad, FollowsTheCallsOverTimeInPartsOfAStep) {
  // Steps of a second have four parts.
  const std::vector<LoadStep> steps(2, {.calls_per_second = 4, .duration = seconds(1)});
  const CallOutcome attained = JudgeCall(AnswerAt("w8a8", 9200, 0), milliseconds(10), milliseconds(20));
  const CallOutcome late = JudgeCall(AnswerAt("w1a1", 8000, 0), milliseconds(30), milliseconds(20));
  const std::vector<PlannedCall> plan = {{.at = milliseconds(0)},
                                         {.at = milliseconds(249)},
                                         {.at = milliseconds(250)},
                                         {.at = milliseconds(1300), .step = 1},
                                         {.at = milliseconds(1900), .step = 1}};
  const std::vector<CallOutcome> outcomes = {attained, late, attained, late, {.ending = Ending::kUnended}};
  const std::vector<Interval> timeline = ReportLoad(steps, plan, outcomes).timeline;
  std::vector<std::pair<nanoseconds, int64_t>> offered;
  for (const Interval& interval : timeline) offered.emplace_back(interval.begin, interval.offered);
  EXPECT_THAT(offered,
              ElementsAre(Pair(milliseconds(0), 2), Pair(milliseconds(250), 1), Pair(milliseconds(500), 0),
                          Pair(milliseconds(750), 0), Pair(milliseconds(1000), 0), Pair(milliseconds(1250), 1)));
  EXPECT_THAT(timeline[0].points, ElementsAre(Pair("w1a1", 1), Pair("w8a8", 1)));
  EXPECT_EQ(timeline[0].p99, milliseconds(30));
  EXPECT_EQ(timeline[5].step, 1);
  EXPECT_EQ(timeline[5].duration, milliseconds(250));
}

TEST(ReportLoad, OrdersPointsByAccuracyAndLatenciesByLength) {
  const std::vector<LoadStep> steps = {{.calls_per_second = 3, .duration = seconds(1)}};
  const std::vector<PlannedCall> plan(3);
  const std::vector<CallOutcome> outcomes = {JudgeCall(AnswerAt("a", 8000, 0), milliseconds(7), seconds(0)),
                                             JudgeCall(AnswerAt("b", 9200, 0), milliseconds(3), seconds(0)),
                                             JudgeCall(absl::InternalError(""), milliseconds(1), seconds(0))};
  const LoadReport report = ReportLoad(steps, plan, outcomes);
  ASSERT_EQ(report.points.size(), 2u);
  EXPECT_EQ(report.points[0].point, "b");
  EXPECT_DOUBLE_EQ(report.points[1].expected.value(), 0.8);
  EXPECT_THAT(report.latencies, ElementsAre(milliseconds(3), milliseconds(7)));
}

TEST(ReportLoad, SaysWhereTheClientWasTheBottleneck) {
  const std::vector<LoadStep> steps(2, {.calls_per_second = 2, .duration = seconds(1)});
  const std::vector<PlannedCall> plan = {{.step = 0}, {.step = 1}};
  CallOutcome outcome = JudgeCall(AnswerAt("a", 8000, 0), milliseconds(7), seconds(0));
  outcome.send_delay = milliseconds(2);
  std::vector<CallOutcome> outcomes = {outcome, outcome};
  outcomes[1].send_delay += nanoseconds(1);
  const LoadReport report = ReportLoad(steps, plan, outcomes, {.send_delay_limit = milliseconds(2)});
  EXPECT_FALSE(report.steps[0].client_limited);
  EXPECT_TRUE(report.steps[1].client_limited);
  EXPECT_EQ(report.steps[1].send_delay_p99, milliseconds(2) + nanoseconds(1));
}

TEST(SendDelayLimit, IsAPartOfTheShortestDeadlineAndNeverBelowTwoMilliseconds) {
  EXPECT_EQ(SendDelayLimit(std::vector<nanoseconds>{seconds(1), milliseconds(100), seconds(0)}), milliseconds(5));
  EXPECT_EQ(SendDelayLimit(std::vector<nanoseconds>{milliseconds(10)}), milliseconds(2));
  EXPECT_EQ(SendDelayLimit(std::vector<nanoseconds>{seconds(0)}), milliseconds(2));
}

}  // namespace
}  // namespace anybit::client
