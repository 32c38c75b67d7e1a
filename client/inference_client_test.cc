#include "client/inference_client.h"

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/notification.h"
#include "client/testing_server.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace anybit::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr size_t kRowBytes = 16;

// One row whose class is `label`, in the testing server's way.
std::vector<uint8_t> Row(uint8_t label) {
  std::vector<uint8_t> row(kRowBytes, 0);
  row[0] = label;
  return row;
}

std::unique_ptr<InferenceClient> ConnectTo(const TestingServer& server) {
  absl::StatusOr<std::unique_ptr<InferenceClient>> client = InferenceClient::Connect(server.address());
  EXPECT_TRUE(client.ok()) << client.status();
  return client.ok() ? *std::move(client) : nullptr;
}

TEST(InferenceClient, KnowsTheModelByTheServersMetadata) {
  TestingServer server;
  (*server.metadata.mutable_properties())["labels"] = "a,b,c,d,e,f,g,h,i,j";
  const std::unique_ptr<InferenceClient> client = ConnectTo(server);
  ASSERT_NE(client, nullptr);
  EXPECT_EQ(client->model().name, "fashion");
  EXPECT_EQ(client->model().version, "1");
  EXPECT_EQ(client->model().input_name, "image");
  EXPECT_THAT(client->model().row_shape, ElementsAre(4, 4, 1));
  EXPECT_EQ(client->model().row_bytes, 16);
  EXPECT_EQ(client->model().classes, 10);
  EXPECT_EQ(client->model().labels[9], "j");
}

TEST(InferenceClient, ReadsLabelsThatHoldCommasFromTheList) {
  TestingServer server;
  auto& properties = *server.metadata.mutable_properties();
  properties["labels_json"] = R"(["a, b","c\"","caf\u00e9","d","e","f","g","h","i","j"])";
  properties["labels"] = "never,looked,at,c,d,e,f,g,h,i";
  EXPECT_THAT(ConnectTo(server)->model().labels,
              ElementsAre("a, b", "c\"", "caf\xc3\xa9", "d", "e", "f", "g", "h", "i", "j"));
}

TEST(InferenceClient, IgnoresLabelsThatAreNoListOfNames) {
  TestingServer server;
  for (const char* json : {"", "[", R"({"a":1})", R"([1,2,3,4,5,6,7,8,9,10])", R"(["a","b"])"}) {
    (*server.metadata.mutable_properties())["labels_json"] = json;
    EXPECT_THAT(ConnectTo(server)->model().labels, IsEmpty()) << json;
  }
}

TEST(InferenceClient, IgnoresLabelsThatAreNotOnePerClass) {
  TestingServer server;
  (*server.metadata.mutable_properties())["labels"] = "a,b";
  EXPECT_THAT(ConnectTo(server)->model().labels, IsEmpty());
}

TEST(InferenceClient, SaysThatTheModelIsUnknownOrThatThereIsNone) {
  TestingServer server;
  EXPECT_EQ(InferenceClient::Connect(server.address(), {.model = "other"}).status().code(),
            absl::StatusCode::kNotFound);
  server.metadata.clear_name();
  EXPECT_THAT(InferenceClient::Connect(server.address()).status().message(), HasSubstr("no ready model"));
}

TEST(InferenceClient, RefusesAModelOfOtherTensors) {
  TestingServer server;
  server.metadata.mutable_inputs(0)->set_datatype("FP32");
  const absl::Status type = InferenceClient::Connect(server.address()).status();
  EXPECT_EQ(type.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(type.message(), HasSubstr("takes FP32"));

  server.metadata.mutable_inputs(0)->set_datatype("UINT8");
  server.metadata.mutable_inputs(0)->set_shape(1, int64_t{1} << 62);
  EXPECT_EQ(InferenceClient::Connect(server.address()).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(InferenceClient, AnswersEachRowOfACall) {
  TestingServer server;
  std::vector<uint8_t> rows = Row(3);
  const std::vector<uint8_t> second = Row(7);
  rows.insert(rows.end(), second.begin(), second.end());

  const absl::StatusOr<InferResult> result = ConnectTo(server)->Infer(rows);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->rows, 2);
  EXPECT_EQ(TopOf(std::span(result->logits).first(10)).index, 3);
  EXPECT_EQ(TopOf(std::span(result->logits).last(10)).index, 7);
  const inference::ModelInferRequest request = server.infer_requests().at(0);
  EXPECT_EQ(request.model_name(), "fashion");
  EXPECT_EQ(request.inputs(0).name(), "image");
  EXPECT_EQ(request.inputs(0).datatype(), "UINT8");
  EXPECT_THAT(request.inputs(0).shape(), ElementsAre(2, 4, 4, 1));
}

TEST(InferenceClient, TellsHowTheRequestWasServed) {
  TestingServer server;
  const absl::StatusOr<InferResult> result = ConnectTo(server)->Infer(Row(0));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->served.operating_point, "w8a8");
  EXPECT_EQ(result->served.bits, 8);
  EXPECT_EQ(result->served.expected_accuracy_bp, 9321);
  EXPECT_EQ(result->served.queue, std::chrono::microseconds(1500));
  EXPECT_EQ(result->served.compute, std::chrono::microseconds(2750));
  EXPECT_EQ(result->served.batch_size, 1);
  EXPECT_EQ(result->served.deadline_met, true);
}

TEST(InferenceClient, LeavesMembersUnsetThatTheServerDidNotSend) {
  TestingServer server;
  server.alter_response = [](inference::ModelInferResponse& response) { response.clear_parameters(); };
  const absl::StatusOr<InferResult> result = ConnectTo(server)->Infer(Row(0));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->served.operating_point, "");
  EXPECT_EQ(result->served.bits, std::nullopt);
  EXPECT_EQ(result->served.deadline_met, std::nullopt);
}

TEST(InferenceClient, SendsOnlyTheOptionsThatAreSet) {
  TestingServer server;
  const std::unique_ptr<InferenceClient> client = ConnectTo(server);
  ASSERT_TRUE(client->Infer(Row(0)).ok());
  ASSERT_TRUE(client
                  ->Infer(Row(0), {.deadline = std::chrono::milliseconds(20),
                                   .min_accuracy_bp = 9000,
                                   .min_bits = 0,
                                   .operating_point = "w4a4f",
                                   .sla_class = "gold",
                                   .tenant = "search"})
                  .ok());
  EXPECT_THAT(server.infer_requests().at(0).parameters(), IsEmpty());
  const inference::ModelInferRequest request = server.infer_requests().at(1);
  const auto& parameters = request.parameters();
  EXPECT_EQ(parameters.size(), 6u);
  EXPECT_EQ(parameters.at("timeout").int64_param(), 20'000);
  EXPECT_EQ(parameters.at("min_accuracy_bp").int64_param(), 9000);
  EXPECT_TRUE(parameters.at("min_bits").has_int64_param());
  EXPECT_EQ(parameters.at("operating_point").string_param(), "w4a4f");
  EXPECT_EQ(parameters.at("sla_class").string_param(), "gold");
  EXPECT_EQ(parameters.at("tenant").string_param(), "search");
}

TEST(InferenceClient, PassesOnTheServersCodeAndText) {
  TestingServer server;
  server.verdict = [](int64_t) {
    return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "no operating point meets the deadline");
  };
  const absl::Status status = ConnectTo(server)->Infer(Row(0)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(status.message(), "no operating point meets the deadline");
}

TEST(InferenceClient, RefusesRowsThatAreNotWholeWithoutSendingThem) {
  TestingServer server;
  const std::unique_ptr<InferenceClient> client = ConnectTo(server);
  const absl::Status status = client->Infer(std::vector<uint8_t>(kRowBytes + 1)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("17 bytes are not whole rows of 16 bytes"));
  absl::Status asynchronous;
  client->InferAsync({}, {}, [&](absl::StatusOr<InferResult> result) { asynchronous = result.status(); });
  EXPECT_EQ(asynchronous.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(server.infer_requests(), IsEmpty());
}

TEST(InferenceClient, CallsAnAnswerThatDoesNotFitInternal) {
  TestingServer server;
  const std::unique_ptr<InferenceClient> client = ConnectTo(server);
  const auto answer_to_one_row = [&](std::function<void(inference::ModelInferResponse&)> alter) {
    server.alter_response = std::move(alter);
    return client->Infer(Row(0)).status().code();
  };
  EXPECT_EQ(answer_to_one_row([](auto& r) { r.mutable_raw_output_contents(0)->pop_back(); }),
            absl::StatusCode::kInternal);
  EXPECT_EQ(answer_to_one_row([](auto& r) { r.clear_raw_output_contents(); }), absl::StatusCode::kInternal);
  EXPECT_EQ(answer_to_one_row([](auto& r) { r.clear_outputs(); }), absl::StatusCode::kInternal);
  EXPECT_EQ(answer_to_one_row([](auto& r) { r.mutable_outputs(0)->set_shape(0, 2); }), absl::StatusCode::kInternal);
  EXPECT_EQ(answer_to_one_row([](auto& r) { r.mutable_outputs(0)->set_datatype("FP64"); }),
            absl::StatusCode::kInternal);
}

TEST(InferenceClient, KeepsManyCallsUnderWayAndAnswersEachOnce) {
  constexpr int kCalls = 200;
  TestingServer server;
  const std::unique_ptr<InferenceClient> client = ConnectTo(server);
  std::vector<int> answers(kCalls, -1);
  absl::BlockingCounter all(kCalls);
  for (int i = 0; i < kCalls; ++i) {
    client->InferAsync(Row(i), {}, [&, i](absl::StatusOr<InferResult> result) {
      EXPECT_EQ(answers[i], -1);
      if (result.ok()) answers[i] = TopOf(result->logits).index;
      all.DecrementCount();
    });
  }
  all.Wait();
  for (int i = 0; i < kCalls; ++i) EXPECT_EQ(answers[i], i % 10);
}

TEST(InferenceClient, WaitsAtItsEndForTheCallsUnderWay) {
  absl::Notification may_answer;
  TestingServer server;
  server.verdict = [&](int64_t) {
    may_answer.WaitForNotification();
    return grpc::Status::OK;
  };
  std::unique_ptr<InferenceClient> client = ConnectTo(server);
  bool answered = false;
  client->InferAsync(Row(0), {}, [&](absl::StatusOr<InferResult> result) { answered = result.ok(); });
  may_answer.Notify();
  client.reset();
  EXPECT_TRUE(answered);
}

TEST(InferenceClient, GivesACallUpAfterItsTime) {
  absl::Notification given_up;
  TestingServer server;
  server.verdict = [&](int64_t) {
    given_up.WaitForNotification();
    return grpc::Status::OK;
  };
  const absl::Status status =
      ConnectTo(server)->Infer(Row(0), {.give_up_after = std::chrono::milliseconds(20)}).status();
  given_up.Notify();
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
}

TEST(InferenceClient, CancelsTheCallsUnderWayAndEachLaterOne) {
  absl::Notification asked;
  absl::Notification may_answer;
  TestingServer server;
  server.verdict = [&](int64_t) {
    asked.Notify();
    may_answer.WaitForNotification();
    return grpc::Status::OK;
  };
  const std::unique_ptr<InferenceClient> client = ConnectTo(server);
  absl::Status status;
  absl::Notification ended;
  client->InferAsync(Row(0), {}, [&](absl::StatusOr<InferResult> result) {
    status = result.status();
    ended.Notify();
  });
  asked.WaitForNotification();
  client->Cancel();
  ended.WaitForNotification();
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
  may_answer.Notify();
  EXPECT_EQ(client->Infer(Row(0)).status().code(), absl::StatusCode::kCancelled);
}

TEST(InferenceClient, AsksTheServerForItsState) {
  TestingServer server;
  const absl::StatusOr<InferenceClient::ServerStatus> status = ConnectTo(server)->Status();
  ASSERT_TRUE(status.ok()) << status.status();
  EXPECT_TRUE(status->live);
  EXPECT_TRUE(status->ready);
  EXPECT_EQ(status->name, "testing");
  EXPECT_EQ(status->version, "7");
  EXPECT_THAT(status->extensions, ElementsAre("parameters"));
}

TEST(TopOf, IsTheFirstLargestLogitWithItsSoftmaxProbability) {
  EXPECT_EQ(TopOf(std::vector<float>{1, 5, 5}).index, 1);
  EXPECT_DOUBLE_EQ(TopOf(std::vector<float>{2, 2, 2, 2}).probability, 0.25);
  EXPECT_NEAR(TopOf(std::vector<float>{0, 1}).probability, 1 / (1 + std::exp(-1.0)), 1e-12);
  // Logits of any size: no overflow on the way.
  EXPECT_DOUBLE_EQ(TopOf(std::vector<float>{-3e38f, 3e38f}).probability, 1.0);
}

}  // namespace
}  // namespace anybit::client
