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
using ::testing::UnorderedElementsAre;

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

class RunLoadTest : public ::testing::Test {
 protected:
  RunLoadTest() {
    for (int i = 0; i < images_.count; ++i) images_.pixels[i * images_.image_bytes()] = static_cast<uint8_t>(i);
    absl::StatusOr<std::unique_ptr<InferenceClient>> client = InferenceClient::Connect(server_.address());
    EXPECT_TRUE(client.ok()) << client.status();
    clients_.push_back(*std::move(client));
  }

  std::vector<CallOutcome> Run(const std::vector<PlannedCall>& plan, const std::vector<InferOptions>& requests = {{}},
                               int threads = 1) {
    return RunLoad({.clients = clients_, .threads = threads}, plan, images_, requests, interruption_);
  }

  // Before the server, which waits at its end for the handlers that use them.
  Interruption interruption_;
  absl::Notification may_answer_;
  TestingServer server_;
  std::vector<std::unique_ptr<InferenceClient>> clients_;
  GrayImages images_{.count = 10, .height = 4, .width = 4, .pixels = std::vector<uint8_t>(160, 0)};
};

TEST_F(RunLoadTest, EndsEachCallOnceWithItsOwnAnswer) {
  server_.verdict = [](int64_t n) {
    return n % 4 == 0 ? grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "") : grpc::Status::OK;
  };
  // All at once: the test is not about the pace.
  std::vector<PlannedCall> plan;
  for (int i = 0; i < 400; ++i) plan.push_back({.image = i % 10});
  const std::vector<CallOutcome> outcomes = Run(plan);
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
  const std::vector<CallOutcome> outcomes = Run(plan, {{.deadline = milliseconds(500)}});
  EXPECT_EQ(outcomes[0].ending, Ending::kLate);
  EXPECT_GE(outcomes[0].latency, seconds(1));
  EXPECT_GE(outcomes[0].send_delay, seconds(1));
  EXPECT_EQ(server_.infer_requests().at(0).parameters().at("timeout").int64_param(), 1);
}

TEST_F(RunLoadTest, SendsEachCallOnceFromSeveralThreadsAndConnections) {
  for (int more = 0; more < 2; ++more) clients_.push_back(*InferenceClient::Connect(server_.address()));
  std::vector<PlannedCall> plan;
  for (int i = 0; i < 100; ++i) plan.push_back({.image = i % 10});
  const std::vector<CallOutcome> outcomes = Run(plan, {{}}, 4);
  EXPECT_EQ(server_.infer_requests().size(), 100u);
  for (size_t i = 0; i < outcomes.size(); ++i) EXPECT_EQ(outcomes[i].top_class, plan[i].image);
  EXPECT_EQ(server_.peers().size(), 3u);
}

TEST_F(RunLoadTest, SendsAndJudgesEachKindByItsOwnRequest) {
  // A second late for the deadline of kind 1, in time for kind 0, which has none.
  const std::vector<PlannedCall> plan = {{.at = -seconds(1), .kind = 0}, {.at = -seconds(1), .kind = 1}};
  const std::vector<CallOutcome> outcomes =
      Run(plan, {{.sla_class = "batch"}, {.deadline = milliseconds(1), .sla_class = "interactive"}});
  EXPECT_EQ(outcomes[0].ending, Ending::kAttained);
  EXPECT_EQ(outcomes[1].ending, Ending::kLate);
  std::vector<std::string> classes;
  for (const inference::ModelInferRequest& request : server_.infer_requests()) {
    classes.push_back(request.parameters().at("sla_class").string_param());
  }
  EXPECT_THAT(classes, UnorderedElementsAre("batch", "interactive"));
}

TEST_F(RunLoadTest, TellsOfEachEndOnce) {
  std::atomic<int> ends = 0;
  const std::vector<PlannedCall> plan(50);
  const std::vector<InferOptions> requests(1);
  RunLoad({.clients = clients_,
           .on_end = [&](const PlannedCall&, const CallOutcome& outcome) { ends += outcome.top_class == 0; }},
          plan, images_, requests, interruption_);
  EXPECT_EQ(ends, 50);
}

TEST_F(RunLoadTest, MeasuresTheCapacityFromAnswersOnly) {
  const absl::StatusOr<double> capacity = MeasureCapacity(*clients_[0], {.images = images_}, 4, seconds(0));
  ASSERT_TRUE(capacity.ok()) << capacity.status();
  EXPECT_GT(*capacity, 0);
  EXPECT_EQ(server_.infer_requests().size(), 4u) << "each caller asks at least once";
  server_.verdict = [](int64_t) { return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "no such point"); };
  EXPECT_EQ(MeasureCapacity(*clients_[0], {.images = images_}, 4, seconds(600)).status().message(), "no such point");
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
  const absl::StatusOr<double> capacity = MeasureCapacity(*clients_[0], {.images = images_}, 3, seconds(0));
  ASSERT_TRUE(capacity.ok()) << capacity.status();
  EXPECT_GT(*capacity, 0);
}

TEST_F(RunLoadTest, TellsThatNoCallWasAnsweredWhileTheCapacityWasMeasured) {
  server_.verdict = [](int64_t) { return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "queue full"); };
  EXPECT_EQ(MeasureCapacity(*clients_[0], {.images = images_}, 4, seconds(0)).status(),
            absl::ResourceExhaustedError("no call was answered: queue full"));
}

TEST_F(RunLoadTest, EndsAtOnceWhenItIsInterrupted) {
  const Interruption::Listener listener(interruption_, [&] { clients_[0]->Cancel(); });
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
  ASSERT_EQ(Run(first)[0].ending, Ending::kAttained);
  const std::vector<PlannedCall> plan = {{.step = 0, .image = 1}, {.at = std::chrono::hours(1), .step = 1}};
  std::vector<CallOutcome> outcomes = Run(plan);
  may_answer_.Notify();
  EXPECT_EQ(outcomes[0].ending, Ending::kUnended);
  EXPECT_EQ(outcomes[1].ending, Ending::kUnended);
}

}  // namespace
}  // namespace anybit::client
