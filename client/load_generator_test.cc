#include "client/load_generator.h"

#include <atomic>
#include <utility>

#include "absl/synchronization/notification.h"
#include "client/testing_server.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace anybit::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::Pair;

InferResult AnswerAt(const std::string& point, int64_t accuracy_bp, int top_class) {
  InferResult result{.rows = 1, .classes = 10, .logits = std::vector<float>(10, 0.0f)};
  result.logits[top_class] = 1;
  result.served = {.operating_point = point, .expected_accuracy_bp = accuracy_bp};
  return result;
}

TEST(JudgeCall, TellsTheFiveEndingsApart) {
  const InferResult answer = AnswerAt("w8a8", 9000, 4);
  EXPECT_EQ(JudgeCall(answer, milliseconds(20), milliseconds(20)).ending, Ending::kAttained);
  EXPECT_EQ(JudgeCall(answer, milliseconds(20) + std::chrono::nanoseconds(1), milliseconds(20)).ending, Ending::kLate);
  EXPECT_EQ(JudgeCall(answer, seconds(9), seconds(0)).ending, Ending::kAttained);
  EXPECT_EQ(JudgeCall(absl::ResourceExhaustedError(""), seconds(0), seconds(1)).ending, Ending::kShed);
  EXPECT_EQ(JudgeCall(absl::DeadlineExceededError(""), seconds(0), seconds(1)).ending, Ending::kExpired);
  EXPECT_EQ(JudgeCall(absl::UnavailableError(""), seconds(0), seconds(1)).ending, Ending::kFailed);
  EXPECT_EQ(JudgeCall(answer, seconds(0), seconds(0)).top_class, 4);
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
  const std::vector<StepReport> reports = ReportLoad(steps, plan, outcomes, labels);
  ASSERT_EQ(reports.size(), 2u);
  EXPECT_EQ(reports[0].offered, 4);
  EXPECT_EQ(reports[0].endings.at(Ending::kAttained), 2);
  EXPECT_EQ(reports[0].endings.at(Ending::kLate), 1);
  EXPECT_EQ(reports[0].endings.at(Ending::kShed), 1);
  EXPECT_DOUBLE_EQ(reports[0].attainment, 0.5);
  EXPECT_DOUBLE_EQ(reports[0].expected_accuracy.value(), 0.86);
  EXPECT_DOUBLE_EQ(reports[0].top1.value(), 0.5);
  EXPECT_EQ(reports[0].p50, milliseconds(12));
  EXPECT_EQ(reports[0].p99, milliseconds(30));
  EXPECT_THAT(reports[0].points, ElementsAre(Pair("w1a1", 2), Pair("w8a8", 1)));
  EXPECT_EQ(reports[1].endings.at(Ending::kExpired), 1);
  EXPECT_DOUBLE_EQ(reports[1].attainment, 0);
  EXPECT_EQ(reports[1].top1, std::nullopt);
  EXPECT_EQ(reports[1].p99, seconds(0));
}

class RunLoadTest : public ::testing::Test {
 protected:
  RunLoadTest() {
    for (int i = 0; i < images_.count; ++i) images_.pixels[i * images_.image_bytes()] = static_cast<uint8_t>(i);
    absl::StatusOr<std::unique_ptr<InferenceClient>> client = InferenceClient::Connect(server_.address());
    EXPECT_TRUE(client.ok()) << client.status();
    client_ = *std::move(client);
  }

  // Before the server, which waits at its end for the handlers that use them.
  Interruption interruption_;
  absl::Notification may_answer_;
  TestingServer server_;
  std::unique_ptr<InferenceClient> client_;
  GrayImages images_{.count = 10, .height = 4, .width = 4, .pixels = std::vector<uint8_t>(160, 0)};
};

TEST_F(RunLoadTest, EndsEachCallOnceWithItsOwnAnswer) {
  server_.verdict = [](int64_t n) {
    return n % 4 == 0 ? grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "") : grpc::Status::OK;
  };
  // All at once: the test is not about the pace.
  std::vector<PlannedCall> plan;
  for (int i = 0; i < 400; ++i) plan.push_back({.image = i % 10});
  const std::vector<CallOutcome> outcomes = RunLoad(*client_, plan, {.images = images_}, interruption_);
  ASSERT_EQ(outcomes.size(), 400u);
  int shed = 0;
  for (size_t i = 0; i < outcomes.size(); ++i) {
    if (outcomes[i].ending == Ending::kShed) {
      ++shed;
    } else {
      EXPECT_EQ(outcomes[i].ending, Ending::kAttained);
      EXPECT_EQ(outcomes[i].top_class, plan[i].image);
    }
  }
  EXPECT_EQ(shed, 100);
}

TEST_F(RunLoadTest, GivesTheServerOnlyTheTimeThatIsLeft) {
  // Planned a second before the load began, with half a second to answer.
  const std::vector<PlannedCall> plan = {{.at = -seconds(1), .image = 0}};
  const std::vector<CallOutcome> outcomes =
      RunLoad(*client_, plan, {.images = images_, .request = {.deadline = milliseconds(500)}}, interruption_);
  EXPECT_EQ(outcomes[0].ending, Ending::kLate);
  EXPECT_GE(outcomes[0].latency, seconds(1));
  EXPECT_EQ(server_.infer_requests().at(0).parameters().at("timeout").int64_param(), 1);
}

TEST_F(RunLoadTest, MeasuresTheCapacityFromAnswersOnly) {
  const absl::StatusOr<double> capacity = MeasureCapacity(*client_, {.images = images_}, 4, seconds(0));
  ASSERT_TRUE(capacity.ok()) << capacity.status();
  EXPECT_GT(*capacity, 0);
  EXPECT_EQ(server_.infer_requests().size(), 4u) << "each caller asks at least once";
  server_.verdict = [](int64_t) { return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "no such point"); };
  EXPECT_EQ(MeasureCapacity(*client_, {.images = images_}, 4, seconds(600)).status().message(), "no such point");
}

TEST_F(RunLoadTest, MeasuresTheCapacityOfAServerThatTakesFewAtOnce) {
  // As with a queue of two: whoever comes third is refused.
  std::atomic<int> under_way = 0;
  server_.verdict = [&](int64_t) {
    const bool room = ++under_way <= 2;
    if (!room && !may_answer_.HasBeenNotified()) may_answer_.Notify();
    if (room) may_answer_.WaitForNotification();
    --under_way;
    return room ? grpc::Status::OK : grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "queue full");
  };
  const absl::StatusOr<double> capacity = MeasureCapacity(*client_, {.images = images_}, 3, seconds(0));
  ASSERT_TRUE(capacity.ok()) << capacity.status();
  EXPECT_GT(*capacity, 0);
}

TEST_F(RunLoadTest, TellsThatNoCallWasAnsweredWhileTheCapacityWasMeasured) {
  server_.verdict = [](int64_t) { return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "queue full"); };
  EXPECT_EQ(MeasureCapacity(*client_, {.images = images_}, 4, seconds(0)).status(),
            absl::ResourceExhaustedError("no call was answered: queue full"));
}

TEST_F(RunLoadTest, EndsAtOnceWhenItIsInterrupted) {
  const Interruption::Listener listener(interruption_, [&] { client_->Cancel(); });
  // The second call is interrupted while it is under way; the third would be sent in an hour.
  server_.verdict = [&](int64_t n) {
    if (n == 1) {
      interruption_.Raise(2);
      may_answer_.WaitForNotification();
    }
    return grpc::Status::OK;
  };
  const std::vector<LoadStep> steps(3, {.calls_per_second = 1, .duration = seconds(1)});
  const std::vector<PlannedCall> first = {{.step = 0, .image = 0}};
  ASSERT_EQ(RunLoad(*client_, first, {.images = images_}, interruption_)[0].ending, Ending::kAttained);
  const std::vector<PlannedCall> plan = {{.step = 0, .image = 1}, {.at = std::chrono::hours(1), .step = 1}};
  std::vector<CallOutcome> outcomes = RunLoad(*client_, plan, {.images = images_}, interruption_);
  may_answer_.Notify();
  EXPECT_EQ(outcomes[0].ending, Ending::kUnended);
  EXPECT_EQ(outcomes[1].ending, Ending::kUnended);
}

TEST(ReportLoad, ReportsOnlyTheEndedCallsOfAnInterruptedLoad) {
  const std::vector<LoadStep> steps(3, {.calls_per_second = 2, .duration = seconds(1)});
  const std::vector<PlannedCall> plan = {{.step = 0}, {.step = 0}, {.step = 1}, {.step = 1}, {.step = 2}};
  const CallOutcome attained = JudgeCall(AnswerAt("w8a8", 9200, 0), milliseconds(10), milliseconds(20));
  const CallOutcome unended = {.ending = Ending::kUnended};
  const std::vector<CallOutcome> outcomes = {attained, attained, attained, unended, unended};
  const std::vector<StepReport> reports = ReportLoad(steps, plan, outcomes, {});
  ASSERT_EQ(reports.size(), 2u);
  EXPECT_TRUE(reports[0].complete);
  EXPECT_EQ(reports[0].offered, 2);
  EXPECT_FALSE(reports[1].complete);
  EXPECT_EQ(reports[1].offered, 1);
  EXPECT_DOUBLE_EQ(reports[1].attainment, 1);
}

}  // namespace
}  // namespace anybit::client
