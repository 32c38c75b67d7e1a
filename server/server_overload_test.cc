// A server without room for all requests: refusals, weights, shares of tenants, the limit of memory.
#include <grpcpp/grpcpp.h>

#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "proto/rpc_status.pb.h"
#include "server/http/testing/http_get.h"
#include "server/testing/gate.h"
#include "server/testing/server_fixture.h"

namespace anybit::server {
namespace {

using grpc::StatusCode;
using std::chrono::seconds;
using testing::Call;
using testing::Ended;
using testing::Gate;
using ::testing::HasSubstr;
using testing::Metric;
using testing::Options;
using testing::Request;
using testing::ServerFixture;
using testing::WaitUntil;
using testing::With;

TEST(ServerOverloadTest, ARefusalSaysTwiceWhenToRetry) {
  Gate gate;
  ServerOptions options = Options();
  options.max_queue = 1;
  ServerFixture fixture(options, gate.Hold());
  Call running(fixture.stub(), Request());
  gate.WaitUntilARunBegan();
  Call waiting(fixture.stub(), Request());
  WaitUntil([&] { return Metric(fixture.server(), "anybit_queue_requests"); }, 1);
  Call refused(fixture.stub(), Request());
  WaitUntil([&] { return Ended(fixture.server(), "shed"); }, 1);
  gate.Open();
  EXPECT_TRUE(running.Wait().ok());
  EXPECT_TRUE(waiting.Wait().ok());
  const grpc::Status status = refused.Wait();
  ASSERT_EQ(status.error_code(), StatusCode::RESOURCE_EXHAUSTED);
  const auto& trailers = refused.context().GetServerTrailingMetadata();
  const auto pushback = trailers.find("grpc-retry-pushback-ms");
  ASSERT_NE(pushback, trailers.end());
  const int wait = std::stoi(std::string(pushback->second.data(), pushback->second.size()));
  EXPECT_GT(wait, 0);
  google::rpc::Status detailed;
  google::rpc::RetryInfo retry;
  ASSERT_TRUE(detailed.ParseFromString(status.error_details()));
  EXPECT_EQ(detailed.message(), status.error_message());
  ASSERT_EQ(detailed.details_size(), 1);
  ASSERT_TRUE(detailed.details(0).UnpackTo(&retry));
  EXPECT_EQ(retry.retry_delay().seconds() * 1000 + retry.retry_delay().nanos() / 1'000'000, wait);
}

TEST(ServerOverloadTest, ARequestOfAHeavierClassIsTakenInPlaceOfALighterOne) {
  Gate gate;
  ServerOptions options = Options();
  options.max_queue = 1;
  options.sla_classes = {{.name = "default"}, {.name = "gold", .weight = 10}};
  ServerFixture fixture(options, gate.Hold());
  Call running(fixture.stub(), Request());
  gate.WaitUntilARunBegan();
  Call light(fixture.stub(), Request());
  WaitUntil([&] { return Metric(fixture.server(), "anybit_queue_requests"); }, 1);
  Call heavy(fixture.stub(), With("sla_class", "gold"));
  WaitUntil([&] { return Ended(fixture.server(), "shed"); }, 1);
  gate.Open();
  EXPECT_EQ(light.Wait().error_code(), StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_TRUE(running.Wait().ok());
  EXPECT_TRUE(heavy.Wait().ok());
}

TEST(ServerOverloadTest, ATenantThatFloodsMakesRoomForOneThatKeepsToItsShare) {
  Gate gate;
  ServerOptions options = Options();
  options.max_queue = 3;
  options.tenants = {{.name = "default"}, {.name = "loud"}, {.name = "quiet", .share = 3}};
  ServerFixture fixture(options, gate.Hold());
  gate.Open();
  ASSERT_TRUE(fixture.Infer(With("tenant", "quiet")).ok());
  gate.Close();
  Call running(fixture.stub(), With("tenant", "loud"));
  gate.WaitUntilARunBegan();
  std::vector<std::unique_ptr<Call>> flood;
  for (int i = 0; i < 3; ++i) flood.push_back(std::make_unique<Call>(fixture.stub(), With("tenant", "loud")));
  WaitUntil([&] { return Metric(fixture.server(), "anybit_queue_requests"); }, 3);
  Call quiet(fixture.stub(), With("tenant", "quiet"));
  WaitUntil([&] { return Ended(fixture.server(), "shed"); }, 1);
  gate.Open();
  EXPECT_TRUE(quiet.Wait().ok()) << quiet.Wait().error_message();
  EXPECT_TRUE(running.Wait().ok());
  for (auto& call : flood) (void)call->Wait();
  const auto requests = [&](const std::string& tenant, const std::string& met) {
    return Metric(fixture.server(), "anybit_tenant_requests_total{met=\"" + met + "\",tenant=\"" + tenant + "\"}");
  };
  EXPECT_EQ(requests("loud", "true"), 3);
  EXPECT_EQ(requests("loud", "false"), 1);
  EXPECT_EQ(requests("quiet", "true"), 2);
  EXPECT_EQ(requests("quiet", "false"), 0);
  EXPECT_EQ(Metric(fixture.server(), "anybit_tenant_served_accuracy_ratio_count{tenant=\"loud\"}"), 3);
}

TEST(ServerOverloadTest, WhatExceedsTheMemoryForRequestsIsRefusedAtOnceAndTheOthersAreServed) {
  Gate gate;
  ServerOptions options = Options();
  options.max_queue_bytes = 310'000;  // the largest request, of 262 KiB and overhead, beside one small one
  ServerFixture fixture(options, gate.Hold());
  EXPECT_EQ(fixture.server().facts().request_limit_bytes, 310'000);
  Call running(fixture.stub(), Request());
  gate.WaitUntilARunBegan();
  Call waiting(fixture.stub(), Request());
  WaitUntil([&] { return Metric(fixture.server(), "anybit_queue_requests"); }, 1);
  Call refused(fixture.stub(), Request());
  const grpc::Status status = refused.Wait();
  EXPECT_EQ(status.error_code(), StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("the server's limit of 310000 bytes (--max_queue_bytes)"));
  EXPECT_EQ(refused.context().GetServerTrailingMetadata().count("grpc-retry-pushback-ms"), 1u);
  EXPECT_EQ(Ended(fixture.server(), "shed"), 1);
  EXPECT_GT(Metric(fixture.server(), "anybit_request_memory_bytes"), 2 * 16'000);
  gate.Open();
  EXPECT_TRUE(running.Wait().ok());
  EXPECT_TRUE(waiting.Wait().ok());
  WaitUntil([&] { return Metric(fixture.server(), "anybit_request_memory_bytes"); }, 0);
  EXPECT_TRUE(fixture.Infer(Request()).ok());
}

// A queue that has no room for another request with a minute: each row takes ten seconds, and one runs.
class ServerEarlyRefusalTest : public ::testing::Test {
 protected:
  ServerEarlyRefusalTest() : fixture_(SlowOptions(), gate_.Hold()), running_(fixture_.stub(), Request()) {
    gate_.WaitUntilARunBegan();
    const auto ended = [this] { return Ended(fixture_.server(), "shed"); };
    const auto waiting = [this] { return Metric(fixture_.server(), "anybit_queue_requests"); };
    while (ended() == 0) {
      waiting_.push_back(std::make_unique<Call>(fixture_.stub(), InAMinute()));
      WaitUntil([&] { return ended() + waiting(); }, static_cast<int>(waiting_.size()));
    }
  }
  ~ServerEarlyRefusalTest() override {
    gate_.Open();
    (void)running_.Wait();
    for (const auto& call : waiting_) (void)call->Wait();
  }

  static ServerOptions SlowOptions() {
    std::string points;
    for (const char* point : {"fp32", "w8a8", "w4a4f", "w1a1"}) {
      absl::StrAppend(&points, points.empty() ? "" : ",", R"({"name":")", point,
                      R"(","accuracy":0.9,"latency_us":[10000000,20000000,30000000,40000000]})");
    }
    ServerOptions options = Options("127.0.0.1:0");
    options.profile = ::testing::TempDir() + "/slow.json";
    std::ofstream(options.profile) << R"({"max_batch":4,"points":[)" << points << "]}";
    return options;
  }

  static inference::ModelInferRequest InAMinute() {
    inference::ModelInferRequest request = Request();
    (*request.mutable_parameters())["timeout"].set_int64_param(60'000'000);
    return request;
  }

  // Not valid, which only who looks at the tensor finds.
  static inference::ModelInferRequest WithoutTensor() {
    inference::ModelInferRequest request = InAMinute();
    request.set_raw_input_contents(0, "");
    return request;
  }

  Gate gate_;
  ServerFixture fixture_;
  Call running_;
  std::vector<std::unique_ptr<Call>> waiting_;
};

TEST_F(ServerEarlyRefusalTest, ACallIsRefusedByItsParametersBeforeItsTensorIsLookedAt) {
  const grpc::Status status = fixture_.Infer(WithoutTensor());
  EXPECT_EQ(status.error_code(), StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("no operating point can meet the deadline behind the requests"));
  EXPECT_EQ(Ended(fixture_.server(), "invalid"), 0);
}

TEST_F(ServerEarlyRefusalTest, SoIsARequestOfAStream) {
  grpc::ClientContext context;
  const auto stream = fixture_.stub().ModelStreamInfer(&context);
  const int before = Ended(fixture_.server(), "shed");
  ASSERT_TRUE(stream->Write(WithoutTensor()));
  inference::ModelStreamInferResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_THAT(response.error_message(), HasSubstr("no operating point can meet the deadline behind the requests"));
  EXPECT_EQ(response.infer_response().id(), "id of this call");
  WaitUntil([&] { return Ended(fixture_.server(), "shed"); }, before + 1);
  EXPECT_EQ(Ended(fixture_.server(), "invalid"), 0);
  context.TryCancel();
  (void)stream->Finish();
}

TEST_F(ServerEarlyRefusalTest, SoIsABodyOfRest) {
  const std::string body = R"({"parameters":{"timeout":60000000},"inputs":[{"name":"image","datatype":"UINT8",)"
                           R"("shape":[1,2,2,1],"data":["no number"]}]})";
  const testing::HttpReply reply = testing::HttpSend(
      fixture_.server().http_port(),
      absl::StrCat("POST /v2/models/sums/infer HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ",
                   body.size(), "\r\n\r\n", body));
  EXPECT_EQ(reply.code, 429) << reply.body;
  EXPECT_THAT(reply.header, HasSubstr("Retry-After: "));
  EXPECT_EQ(Ended(fixture_.server(), "invalid"), 0);
}

TEST_F(ServerEarlyRefusalTest, ARequestWithoutADeadlineIsLookedAt) {
  inference::ModelInferRequest request = WithoutTensor();
  request.clear_parameters();
  EXPECT_EQ(fixture_.Infer(request).error_code(), StatusCode::INVALID_ARGUMENT);
}

}  // namespace
}  // namespace anybit::server
