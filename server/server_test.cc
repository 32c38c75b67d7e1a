// The whole server in one process: a real gRPC channel and real HTTP on free ports, over a network of sums.
#include "server/server.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstring>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "base/listening_sockets.h"
#include "metrics/testing/http_get.h"
#include "model/engine/kernel_chooser.h"
#include "proto/inference.grpc.pb.h"
#include "proto/rpc_status.pb.h"
#include "server/compose_serving.h"
#include "server/control_groups.h"
#include "server/processors.h"
#include "server/testing/sum_network.h"

namespace anybit::server {
namespace {

using grpc::StatusCode;
using inference::GRPCInferenceService;
using inference::ModelInferRequest;
using inference::ModelInferResponse;
using metrics::testing::HttpGet;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::SumNetwork;

// The scheduler believes these latencies, so no test depends on how fast this machine is.
constexpr char kProfile[] = R"({"max_batch": 4, "points": [
    {"name": "fp32", "accuracy": 0.93, "latency_us": [40, 80, 120, 160]},
    {"name": "w8a8", "accuracy": 0.92, "latency_us": [20, 40, 60, 80]},
    {"name": "w4a4f", "accuracy": 0.9, "latency_us": [10, 20, 30, 40]},
    {"name": "w1a1", "accuracy": 0.8, "latency_us": [5, 10, 15, 20]}]})";

ServerOptions Options(const std::string& http_address = "") {
  const std::string profile = ::testing::TempDir() + "/profile.json";
  std::ofstream(profile) << kProfile;
  return {
      .artifact = "in memory",
      .grpc_address = "127.0.0.1:0",
      .http_address = http_address,
      .max_batch = 4,
      .profile = profile,
      .sla_classes = {{.name = "default"}, {.name = "careful", .objective = seconds(60), .accuracy_floor_bp = 9200}}};
}

// A server and a client of it.
class Stage {
 public:
  explicit Stage(ServerOptions options, SumNetwork::BeforeRun before_run = nullptr) {
    auto server = Server::Listen(std::move(options), ComposeServing);
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    const absl::Status status = server_->Serve(std::make_unique<SumNetwork>(std::move(before_run)));
    EXPECT_TRUE(status.ok()) << status;
    channel_ =
        grpc::CreateChannel(absl::StrCat("127.0.0.1:", server_->grpc_port()), grpc::InsecureChannelCredentials());
    stub_ = GRPCInferenceService::NewStub(channel_);
  }

  Server& server() { return *server_; }
  GRPCInferenceService::Stub& stub() { return *stub_; }
  const std::shared_ptr<grpc::Channel>& channel() { return channel_; }

  grpc::Status Infer(const ModelInferRequest& request, ModelInferResponse* response) {
    grpc::ClientContext context;
    return stub_->ModelInfer(&context, request, response);
  }
  grpc::Status Infer(const ModelInferRequest& request) {
    ModelInferResponse response;
    return Infer(request, &response);
  }

 private:
  std::unique_ptr<Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<GRPCInferenceService::Stub> stub_;
};

ModelInferRequest Request(const std::string& raw = std::string("\x01\x02\x03\x04", 4)) {
  ModelInferRequest request;
  request.set_model_name("sums");
  request.set_id("id of this call");
  auto& input = *request.add_inputs();
  input.set_name("image");
  input.set_datatype("UINT8");
  for (int64_t d : {static_cast<int>(raw.size() / 4), 2, 2, 1}) input.add_shape(d);
  request.add_raw_input_contents(raw);
  return request;
}

ModelInferRequest With(const std::string& parameter, const std::string& value) {
  ModelInferRequest request = Request();
  (*request.mutable_parameters())[parameter].set_string_param(value);
  return request;
}

ModelInferRequest Pinned(const std::string& point) { return With("operating_point", point); }

std::vector<float> Logits(const ModelInferResponse& response) {
  const std::string& raw = response.raw_output_contents(0);
  std::vector<float> logits(raw.size() / sizeof(float));
  std::memcpy(logits.data(), raw.data(), raw.size());
  return logits;
}

// A line of a metrics page, by its beginning; "" if there is none.
std::string LineOf(const std::string& body, const std::string& beginning) {
  const std::string page = "\n" + body;
  const auto at = page.find("\n" + beginning);
  return at == std::string::npos ? "" : page.substr(at + 1, page.find('\n', at + 1) - at - 1);
}
std::string MetricsLine(int http_port, const std::string& beginning) {
  return LineOf(HttpGet(http_port, "/metrics").body, beginning);
}

int Metric(const Server& server, const std::string& name) {
  const std::string line = LineOf(server.MetricsText(), name + " ");
  return line.empty() ? 0 : std::stoi(line.substr(name.size()));
}
int Ended(const Server& server, const std::string& outcome) {
  return Metric(server, "anybit_requests_total{outcome=\"" + outcome + "\"}");
}

// Looks again and again until `look()` gives `value`. Gives up, and fails, after a time that nothing here takes.
void WaitUntil(absl::FunctionRef<int()> look, int value) {
  const auto give_up_at = std::chrono::steady_clock::now() + seconds(20);
  while (look() != value && std::chrono::steady_clock::now() < give_up_at) std::this_thread::yield();
  EXPECT_EQ(look(), value);
}

// Holds every run until opened, and tells how many rows began.
class Gate {
 public:
  SumNetwork::BeforeRun Hold() {
    return [this](int, int rows) {
      absl::MutexLock lock(&mutex_);
      rows_begun_ += rows;
      mutex_.Await(absl::Condition(&open_));
      return absl::OkStatus();
    };
  }
  void WaitUntilARunBegan() {
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(
        +[](int* rows) { return *rows > 0; }, &rows_begun_));
  }
  void Open() {
    absl::MutexLock lock(&mutex_);
    open_ = true;
  }
  // For the next run, which is again the first.
  void Close() {
    absl::MutexLock lock(&mutex_);
    open_ = false;
    rows_begun_ = 0;
  }
  int rows_begun() {
    absl::MutexLock lock(&mutex_);
    return rows_begun_;
  }

 private:
  absl::Mutex mutex_;
  bool open_ = false;
  int rows_begun_ = 0;
};

// A ModelInfer in flight.
class Call {
 public:
  // With `server_side_timeout` the server sees a gRPC deadline and the client's library has none: what is tested does
  // not depend on whose timer fires first.
  Call(GRPCInferenceService::Stub& stub, ModelInferRequest request, milliseconds server_side_timeout = {})
      : request_(std::move(request)) {
    if (server_side_timeout.count() > 0) {
      context_.AddMetadata("grpc-timeout", absl::StrCat(server_side_timeout.count(), "m"));
    }
    stub.async()->ModelInfer(&context_, &request_, &response_, [this](grpc::Status status) {
      status_ = std::move(status);
      ended_.Notify();
    });
  }
  void Cancel() { context_.TryCancel(); }
  grpc::Status Wait() {
    ended_.WaitForNotification();
    return status_;
  }
  bool ended() const { return ended_.HasBeenNotified(); }
  const ModelInferResponse& response() const { return response_; }
  const grpc::ClientContext& context() const { return context_; }

 private:
  grpc::ClientContext context_;
  const ModelInferRequest request_;
  ModelInferResponse response_;
  grpc::Status status_;
  absl::Notification ended_;
};

// ---- Inference

// One server for all tests that leave it as it was.
class SharedServerTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { stage_ = new Stage(Options()); }
  static void TearDownTestSuite() { delete stage_; }
  static inline Stage* stage_ = nullptr;
};

TEST_F(SharedServerTest, RawContentsAreServed) {
  ModelInferResponse response;
  const grpc::Status status = stage_->Infer(Request(), &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.id(), "id of this call");
  EXPECT_EQ(response.parameters().at("operating_point").string_param(), "fp32");
  EXPECT_EQ(response.parameters().at("bits").int64_param(), 32);
  EXPECT_TRUE(response.parameters().at("deadline_met").bool_param());
  EXPECT_THAT(Logits(response), ElementsAre(10, 1010, 2010));
}

TEST_F(SharedServerTest, TypedContentsAreServedAlike) {
  ModelInferRequest request = Request();
  request.clear_raw_input_contents();
  for (uint32_t code : {1, 2, 3, 4}) request.mutable_inputs(0)->mutable_contents()->add_uint_contents(code);
  ModelInferResponse response;
  ASSERT_TRUE(stage_->Infer(request, &response).ok());
  EXPECT_THAT(Logits(response), ElementsAre(10, 1010, 2010));
}

TEST_F(SharedServerTest, APinnedPointIsTheOneThatRuns) {
  for (const auto& [name, index] :
       {std::pair("fp32", 0), std::pair("w8a8", 1), std::pair("w4a4f", 2), std::pair("w1a1", 3)}) {
    ModelInferResponse response;
    ASSERT_TRUE(stage_->Infer(Pinned(name), &response).ok());
    EXPECT_EQ(response.parameters().at("operating_point").string_param(), name);
    EXPECT_EQ(Logits(response)[0], 10 + 0.25f * index);
  }
}

TEST_F(SharedServerTest, AClassBringsItsFloorAndObjective) {
  ModelInferRequest request = Request();
  (*request.mutable_parameters())["sla_class"].set_string_param("careful");
  ModelInferResponse response;
  ASSERT_TRUE(stage_->Infer(request, &response).ok());
  EXPECT_GE(response.parameters().at("expected_accuracy_bp").int64_param(), 9200);
  (*request.mutable_parameters())["operating_point"].set_string_param("w4a4f");
  EXPECT_EQ(stage_->Infer(request).error_code(), StatusCode::INVALID_ARGUMENT);
}

TEST_F(SharedServerTest, AClassificationIsServedAsText) {
  ModelInferRequest request = Request();
  request.add_outputs()->set_name("logits");
  (*request.mutable_outputs(0)->mutable_parameters())["classification"].set_int64_param(1);
  ModelInferResponse response;
  ASSERT_TRUE(stage_->Infer(request, &response).ok());
  EXPECT_EQ(response.raw_output_contents(0), std::string("\x11\0\0\0", 4) + "2010.000000:2:two");
}

TEST_F(SharedServerTest, ADeadlineTheFastestPointCannotMeetIsRefusedWithAHintWhenToRetry) {
  ModelInferRequest request = Request();
  (*request.mutable_parameters())["timeout"].set_int64_param(1);  // below every latency of the profile
  Call call(stage_->stub(), request);
  const StatusCode code = call.Wait().error_code();
  // By the time the scheduler looks, this microsecond may have passed.
  ASSERT_TRUE(code == StatusCode::RESOURCE_EXHAUSTED || code == StatusCode::DEADLINE_EXCEEDED) << code;
  if (code != StatusCode::RESOURCE_EXHAUSTED) return;
  const auto& trailers = call.context().GetServerTrailingMetadata();
  const auto pushback = trailers.find("grpc-retry-pushback-ms");
  ASSERT_NE(pushback, trailers.end());
  EXPECT_GT(std::stoi(std::string(pushback->second.data(), pushback->second.size())), 0);
}

TEST_F(SharedServerTest, AGrpcDeadlineAlreadyPastIsExceeded) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() - seconds(1));
  ModelInferResponse response;
  EXPECT_EQ(stage_->stub().ModelInfer(&context, Request(), &response).error_code(), StatusCode::DEADLINE_EXCEEDED);
}

TEST(ServerTest, FloorsHoldWhereThePolicyWouldGoBelow) {
  ServerOptions options = Options();
  options.policy = "fixed:w1a1";
  Stage stage(options);
  const auto served = [&](const ModelInferRequest& request, const char* parameter) {
    ModelInferResponse response;
    const grpc::Status status = stage.Infer(request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return status.ok() ? response.parameters().at(parameter).int64_param() : -1;
  };
  EXPECT_EQ(served(Request(), "bits"), 1);
  ModelInferRequest accurate = Request();
  (*accurate.mutable_parameters())["min_accuracy_bp"].set_int64_param(8500);
  EXPECT_GE(served(accurate, "expected_accuracy_bp"), 8500);
  ModelInferRequest wide = Request();
  (*wide.mutable_parameters())["min_bits"].set_int64_param(4);
  EXPECT_GE(served(wide, "bits"), 4);
}

// ---- What is around inference

TEST_F(SharedServerTest, ServerAndModelAreLiveAndReady) {
  grpc::ClientContext live, ready, model, other;
  inference::ServerLiveResponse live_response;
  ASSERT_TRUE(stage_->stub().ServerLive(&live, {}, &live_response).ok());
  EXPECT_TRUE(live_response.live());
  inference::ServerReadyResponse ready_response;
  ASSERT_TRUE(stage_->stub().ServerReady(&ready, {}, &ready_response).ok());
  EXPECT_TRUE(ready_response.ready());
  inference::ModelReadyRequest request;
  request.set_name("sums");
  inference::ModelReadyResponse response;
  ASSERT_TRUE(stage_->stub().ModelReady(&model, request, &response).ok());
  EXPECT_TRUE(response.ready());
  request.set_name("other");
  ASSERT_TRUE(stage_->stub().ModelReady(&other, request, &response).ok());
  EXPECT_FALSE(response.ready());
}

TEST_F(SharedServerTest, ServerMetadataClaimsOnlyWhatIsThere) {
  grpc::ClientContext context;
  inference::ServerMetadataResponse response;
  ASSERT_TRUE(stage_->stub().ServerMetadata(&context, {}, &response).ok());
  EXPECT_EQ(response.name(), "anybit");
  EXPECT_THAT(response.extensions(), ::testing::Not(::testing::Contains("statistics")));
}

TEST_F(SharedServerTest, MetadataConfigAndIndexDescribeTheModel) {
  grpc::ClientContext metadata, config, index, other;
  inference::ModelMetadataRequest metadata_request;
  metadata_request.set_name("sums");
  inference::ModelMetadataResponse metadata_response;
  ASSERT_TRUE(stage_->stub().ModelMetadata(&metadata, metadata_request, &metadata_response).ok());
  EXPECT_EQ(metadata_response.properties().at("operating_points"), "fp32,w8a8,w4a4f,w1a1");

  inference::ModelConfigRequest config_request;
  config_request.set_name("sums");
  inference::ModelConfigResponse config_response;
  ASSERT_TRUE(stage_->stub().ModelConfig(&config, config_request, &config_response).ok());
  EXPECT_EQ(config_response.config().max_batch_size(), 4);
  config_request.set_name("other");
  EXPECT_EQ(stage_->stub().ModelConfig(&other, config_request, &config_response).error_code(), StatusCode::NOT_FOUND);

  inference::RepositoryIndexResponse index_response;
  ASSERT_TRUE(stage_->stub().RepositoryIndex(&index, {}, &index_response).ok());
  ASSERT_EQ(index_response.models_size(), 1);
  EXPECT_EQ(index_response.models(0).name(), "sums");
  EXPECT_EQ(index_response.models(0).version(), "7");
  EXPECT_EQ(index_response.models(0).state(), "READY");
}

TEST_F(SharedServerTest, CallsNotOfferedAreUnimplementedAndSayWhatToDoInstead) {
  grpc::ClientContext statistics, load;
  inference::ModelStatisticsResponse response;
  const grpc::Status status = stage_->stub().ModelStatistics(&statistics, {}, &response);
  EXPECT_EQ(status.error_code(), StatusCode::UNIMPLEMENTED);
  EXPECT_EQ(status.error_message(),
            "this server does not offer '/inference.GRPCInferenceService/ModelStatistics': the "
            "server's HTTP port has them at /metrics");
  inference::RepositoryModelLoadResponse loaded;
  EXPECT_THAT(stage_->stub().RepositoryModelLoad(&load, {}, &loaded).error_message(), HasSubstr("--artifact"));
}

grpc::ByteBuffer Bytes(const std::string& bytes) {
  const grpc::Slice slice(bytes);
  return grpc::ByteBuffer(&slice, 1);
}

std::string Text(const grpc::ByteBuffer& buffer) {
  grpc::Slice slice;
  EXPECT_TRUE(buffer.DumpToSingleSlice(&slice).ok());
  return std::string(slice.begin(), slice.end());
}

// grpc.health.v1 has no generated code here: its request is one string in field 1, its response one enum in field 1.
StatusCode CheckHealth(const std::shared_ptr<grpc::Channel>& channel, const std::string& service, int* serving) {
  const grpc::ByteBuffer request =
      Bytes(service.empty() ? "" : std::string("\x0a") + static_cast<char>(service.size()) + service);
  grpc::ByteBuffer response;
  grpc::ClientContext context;
  grpc::Status status;
  absl::Notification ended;
  grpc::GenericStub(channel).UnaryCall(&context, "/grpc.health.v1.Health/Check", {}, &request, &response,
                                       [&](grpc::Status s) {
                                         status = std::move(s);
                                         ended.Notify();
                                       });
  ended.WaitForNotification();
  if (status.ok()) {
    const std::string text = Text(response);
    *serving = text.size() == 2 && text[0] == 8 ? text[1] : 0;
  }
  return status.error_code();
}

// A unary call of any method with any bytes.
grpc::Status CallRaw(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
                     const std::string& bytes) {
  const grpc::ByteBuffer request = Bytes(bytes);
  grpc::ByteBuffer response;
  grpc::ClientContext context;
  grpc::Status status;
  absl::Notification ended;
  grpc::GenericStub(channel).UnaryCall(&context, method, {}, &request, &response, [&](grpc::Status s) {
    status = std::move(s);
    ended.Notify();
  });
  ended.WaitForNotification();
  return status;
}

int RefusedCalls(const Server& server, const std::string& reason) {
  return Metric(server, "anybit_refused_calls_total{reason=\"" + reason + "\"}");
}

TEST(ServerTest, AMessageThatCannotBeParsedIsInvalidAndCounted) {
  Stage stage(Options());
  const grpc::Status status = CallRaw(stage.channel(), "/inference.GRPCInferenceService/ModelInfer", "\xff\xff\xff");
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("cannot be parsed"));
  EXPECT_EQ(RefusedCalls(stage.server(), "malformed_message"), 1);
  EXPECT_EQ(Ended(stage.server(), "invalid"), 1);
  EXPECT_TRUE(stage.Infer(Request()).ok());
}

TEST(ServerTest, UnknownMethodsAreCountedAndEscaped) {
  Stage stage(Options());
  const grpc::Status status = CallRaw(stage.channel(), "/inference.GRPCInferenceService/Modelinfer", "");
  EXPECT_EQ(status.error_code(), StatusCode::UNIMPLEMENTED);
  EXPECT_THAT(status.error_message(), HasSubstr("'/inference.GRPCInferenceService/Modelinfer'"));
  EXPECT_EQ(CallRaw(stage.channel(), "/no.Such/" + std::string(2000, 'x'), "").error_code(), StatusCode::UNIMPLEMENTED);
  EXPECT_EQ(RefusedCalls(stage.server(), "unknown_method"), 2);
  EXPECT_EQ(Ended(stage.server(), "invalid"), 0);
}

TEST(ServerTest, ACallThatEndsBeforeItsMessageIsCounted) {
  Stage stage(Options());
  grpc::ClientContext context;
  grpc::CompletionQueue queue;
  const auto call =
      grpc::GenericStub(stage.channel()).PrepareCall(&context, "/inference.GRPCInferenceService/ModelInfer", &queue);
  const auto next = [&queue] {
    void* tag = nullptr;
    bool ok = false;
    (void)queue.Next(&tag, &ok);
  };
  call->StartCall(nullptr);
  next();
  call->WritesDone(nullptr);
  next();
  grpc::Status status;
  call->Finish(&status, nullptr);
  next();
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(RefusedCalls(stage.server(), "incomplete_message"), 1);
  queue.Shutdown();
}

TEST(ServerTest, ACallWhoseMessageDoesNotComeInTimeEndsAndHoldsNoMemory) {
  ServerOptions options = Options();
  options.connections.read_timeout = milliseconds(1);
  Stage stage(options);
  for (const char* method : {"ModelInfer", "ServerReady"}) {
    grpc::ClientContext context;
    grpc::CompletionQueue queue;
    const auto call = grpc::GenericStub(stage.channel())
                          .PrepareCall(&context, std::string("/inference.GRPCInferenceService/") + method, &queue);
    const auto next = [&queue] {
      void* tag = nullptr;
      bool ok = false;
      (void)queue.Next(&tag, &ok);
    };
    call->StartCall(nullptr);
    next();
    grpc::Status status;
    call->Finish(&status, nullptr);
    next();
    EXPECT_EQ(status.error_code(), StatusCode::DEADLINE_EXCEEDED);
    EXPECT_EQ(status.error_message(), "the call's message was not complete within 1ms (--read_timeout)");
    queue.Shutdown();
  }
  EXPECT_EQ(RefusedCalls(stage.server(), "incomplete_message"), 1);
  WaitUntil([&] { return Metric(stage.server(), "anybit_request_memory_bytes"); }, 0);
}

TEST(ServerTest, AMessageLargerThanAnyLegalRequestIsCounted) {
  Stage stage(Options());
  ModelInferRequest request = Request();
  request.set_id(std::string(1 << 20, 'x'));
  const grpc::Status status = stage.Infer(request);
  EXPECT_THAT(status.error_message(), HasSubstr("larger than max"));
  WaitUntil([&] { return RefusedCalls(stage.server(), "incomplete_message"); }, 1);
  WaitUntil([&] { return Metric(stage.server(), "anybit_request_memory_bytes"); }, 0);
}

constexpr int kServing = 1, kNotServing = 2;

TEST_F(SharedServerTest, HealthKnowsLivenessReadinessAndTheService) {
  for (const char* service : {"", "liveness", "readiness", "inference.GRPCInferenceService"}) {
    int serving = 0;
    EXPECT_EQ(CheckHealth(stage_->channel(), service, &serving), StatusCode::OK) << service;
    EXPECT_EQ(serving, kServing) << service;
  }
  int serving = 0;
  EXPECT_EQ(CheckHealth(stage_->channel(), "other", &serving), StatusCode::NOT_FOUND);
}

TEST(ServerTest, AWatchOfHealthTellsEachChangeAndEndsWithTheServer) {
  Stage stage(Options());
  grpc::ClientContext context;
  grpc::CompletionQueue queue;
  const auto watch = grpc::GenericStub(stage.channel()).PrepareCall(&context, "/grpc.health.v1.Health/Watch", &queue);
  const auto succeeds = [&queue] {
    void* tag = nullptr;
    bool ok = false;
    return queue.Next(&tag, &ok) && ok;
  };
  watch->StartCall(nullptr);
  EXPECT_TRUE(succeeds());
  watch->WriteLast(Bytes("\x0a\x09readiness"), grpc::WriteOptions(), nullptr);
  EXPECT_TRUE(succeeds());
  grpc::ByteBuffer response;
  watch->Read(&response, nullptr);
  EXPECT_TRUE(succeeds());
  EXPECT_EQ(Text(response), std::string("\x08\x01"));
  watch->Read(&response, nullptr);
  stage.server().StopBeingReady();
  EXPECT_TRUE(succeeds());
  EXPECT_EQ(Text(response), std::string("\x08\x02"));
  watch->Read(&response, nullptr);
  stage.server().Stop(seconds(20));
  EXPECT_FALSE(succeeds());
  grpc::Status status;
  watch->Finish(&status, nullptr);
  EXPECT_TRUE(succeeds());
  EXPECT_EQ(status.error_code(), StatusCode::UNAVAILABLE);
  queue.Shutdown();
}

// What reflection answers to the bytes of a ServerReflectionRequest.
std::string Reflect(const std::shared_ptr<grpc::Channel>& channel, const std::string& request) {
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  grpc::CompletionQueue queue;
  const auto stream =
      stub.PrepareCall(&context, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", &queue);
  const auto succeeds = [&queue] {
    void* tag = nullptr;
    bool ok = false;
    return queue.Next(&tag, &ok) && ok;
  };
  stream->StartCall(nullptr);
  EXPECT_TRUE(succeeds());
  stream->Write(Bytes(request), nullptr);
  EXPECT_TRUE(succeeds());
  grpc::ByteBuffer response;
  stream->Read(&response, nullptr);
  EXPECT_TRUE(succeeds());
  grpc::Status status;
  stream->WritesDone(nullptr);
  EXPECT_TRUE(succeeds());
  stream->Finish(&status, nullptr);
  EXPECT_TRUE(succeeds());
  EXPECT_TRUE(status.ok());
  queue.Shutdown();
  return Text(response);
}

TEST_F(SharedServerTest, ReflectionListsTheServices) {
  const std::string services = Reflect(stage_->channel(), std::string("\x3a\x00", 2));  // list_services: field 7, ""
  EXPECT_THAT(services, HasSubstr("inference.GRPCInferenceService"));
  EXPECT_THAT(services, HasSubstr("grpc.health.v1.Health"));
}

TEST_F(SharedServerTest, ReflectionDescribesEachServiceThatItLists) {
  for (const auto& [service, method] : {std::pair<std::string, std::string>("grpc.health.v1.Health", "Watch"),
                                        {"inference.GRPCInferenceService", "ModelInfer"},
                                        {"grpc.reflection.v1alpha.ServerReflection", "ServerReflectionInfo"}}) {
    // file_containing_symbol: field 4.
    const std::string file =
        Reflect(stage_->channel(), std::string("\x22") + static_cast<char>(service.size()) + service);
    EXPECT_THAT(file, HasSubstr(method)) << service;
  }
}

// ---- Malformed requests

struct Malformed {
  const char* what;
  std::function<void(ModelInferRequest&)> spoil;
  StatusCode code;
  const char* part_of_message;
};

const std::vector<Malformed>& MalformedRequests() {
  using R = ModelInferRequest;
  constexpr StatusCode kInvalid = StatusCode::INVALID_ARGUMENT;
  static const auto* const kAll = new std::vector<Malformed>{
      {"empty", [](R& r) { r.Clear(); }, StatusCode::NOT_FOUND, "unknown model: '' is not found"},
      {"unknown model", [](R& r) { r.set_model_name("../sums"); }, StatusCode::NOT_FOUND, "'../sums'"},
      {"name of 64 KiB", [](R& r) { r.set_model_name(std::string(65536, 'x')); }, StatusCode::NOT_FOUND, "xxx...'"},
      {"unknown version", [](R& r) { r.set_model_version("8"); }, StatusCode::NOT_FOUND, "version 8"},
      {"version without number", [](R& r) { r.set_model_version("1e9"); }, kInvalid, "version string '1e9'"},
      {"no input", [](R& r) { r.clear_inputs(); }, kInvalid, "expected 1 inputs but got 0"},
      {"wrong input", [](R& r) { r.mutable_inputs(0)->set_name("x"); }, kInvalid, "missing required input(s)"},
      {"wrong datatype", [](R& r) { r.mutable_inputs(0)->set_datatype("FP32"); }, kInvalid, "expected 'UINT8'"},
      {"rank 0", [](R& r) { r.mutable_inputs(0)->clear_shape(); }, kInvalid, "Expected [-1,2,2,1], got []"},
      {"batch 0", [](R& r) { r.mutable_inputs(0)->set_shape(0, 0); }, kInvalid, "got [0,2,2,1]"},
      {"batch -1", [](R& r) { r.mutable_inputs(0)->set_shape(0, -1); }, kInvalid, "got [-1,2,2,1]"},
      {"batch above the limit", [](R& r) { r.mutable_inputs(0)->set_shape(0, 5); }, kInvalid, "must be <= 4"},
      {"overflowing shape",
       [](R& r) {
         r.mutable_inputs(0)->set_shape(1, int64_t{1} << 62);
         r.mutable_inputs(0)->set_shape(2, int64_t{1} << 62);
       },
       kInvalid, "unexpected shape"},
      {"raw contents too short", [](R& r) { r.set_raw_input_contents(0, "abc"); }, kInvalid, "Expected 4, got 3"},
      {"raw contents too many", [](R& r) { r.add_raw_input_contents("abcd"); }, kInvalid, "expected 1 entry"},
      {"no contents", [](R& r) { r.clear_raw_input_contents(); }, kInvalid, "unable to find data"},
      {"raw and typed contents", [](R& r) { r.mutable_inputs(0)->mutable_contents()->add_uint_contents(1); }, kInvalid,
       "must not be specified when using raw_input_contents"},
      {"typed contents out of range",
       [](R& r) {
         r.clear_raw_input_contents();
         for (int i = 0; i < 4; ++i) r.mutable_inputs(0)->mutable_contents()->add_uint_contents(256);
       },
       kInvalid, "is 256, not from 0 to 255"},
      {"negative timeout", [](R& r) { (*r.mutable_parameters())["timeout"].set_int64_param(-1); }, kInvalid,
       "expected value >= 0"},
      {"timeout of the wrong type", [](R& r) { (*r.mutable_parameters())["timeout"].set_string_param("1"); }, kInvalid,
       "expected int64_param"},
      {"parameter without value", [](R& r) { (*r.mutable_parameters())["custom"].Clear(); }, kInvalid, "'custom'"},
      {"reserved parameter", [](R& r) { (*r.mutable_parameters())["triton_x"].set_bool_param(true); }, kInvalid,
       "reserved"},
      {"unsatisfiable floor", [](R& r) { (*r.mutable_parameters())["min_accuracy_bp"].set_int64_param(9999); },
       kInvalid, "the best available has 9300"},
      {"unknown point", [](R& r) { (*r.mutable_parameters())["operating_point"].set_string_param("w9a9"); }, kInvalid,
       "known: fp32, w8a8, w4a4f, w1a1"},
      {"unknown output", [](R& r) { r.add_outputs()->set_name("x"); }, kInvalid, "unexpected inference output 'x'"},
      {"larger than any legal request", [](R& r) { r.set_id(std::string(1 << 20, 'x')); },
       StatusCode::RESOURCE_EXHAUSTED, "larger than max"},
  };
  return *kAll;
}

TEST_F(SharedServerTest, MalformedRequestsAreAnsweredWithCodeAndMessageAndTheServerServesOn) {
  for (const Malformed& malformed : MalformedRequests()) {
    ModelInferRequest request = Request();
    malformed.spoil(request);
    const grpc::Status status = stage_->Infer(request);
    EXPECT_EQ(status.error_code(), malformed.code) << malformed.what;
    EXPECT_THAT(status.error_message(), HasSubstr(malformed.part_of_message)) << malformed.what;
    EXPECT_TRUE(stage_->Infer(Request()).ok()) << "after " << malformed.what;
  }
}

// ---- When there is no room for all

TEST(ServerTest, ARefusalSaysTwiceWhenToRetry) {
  Gate gate;
  ServerOptions options = Options();
  options.max_queue = 1;
  Stage stage(options, gate.Hold());
  Call running(stage.stub(), Request());
  gate.WaitUntilARunBegan();
  Call waiting(stage.stub(), Request());
  WaitUntil([&] { return Metric(stage.server(), "anybit_queue_requests"); }, 1);
  Call refused(stage.stub(), Request());
  WaitUntil([&] { return Ended(stage.server(), "shed"); }, 1);
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

TEST(ServerTest, ARequestOfAHeavierClassIsTakenInPlaceOfALighterOne) {
  Gate gate;
  ServerOptions options = Options();
  options.max_queue = 1;
  options.sla_classes = {{.name = "default"}, {.name = "gold", .weight = 10}};
  Stage stage(options, gate.Hold());
  Call running(stage.stub(), Request());
  gate.WaitUntilARunBegan();
  Call light(stage.stub(), Request());
  WaitUntil([&] { return Metric(stage.server(), "anybit_queue_requests"); }, 1);
  Call heavy(stage.stub(), With("sla_class", "gold"));
  WaitUntil([&] { return Ended(stage.server(), "shed"); }, 1);
  gate.Open();
  EXPECT_EQ(light.Wait().error_code(), StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_TRUE(running.Wait().ok());
  EXPECT_TRUE(heavy.Wait().ok());
}

TEST(ServerTest, ATenantThatFloodsMakesRoomForOneThatKeepsToItsShare) {
  Gate gate;
  ServerOptions options = Options();
  options.max_queue = 3;
  options.tenants = {{.name = "default"}, {.name = "loud"}, {.name = "quiet", .share = 3}};
  Stage stage(options, gate.Hold());
  gate.Open();
  ASSERT_TRUE(stage.Infer(With("tenant", "quiet")).ok());
  gate.Close();
  Call running(stage.stub(), With("tenant", "loud"));
  gate.WaitUntilARunBegan();
  std::vector<std::unique_ptr<Call>> flood;
  for (int i = 0; i < 3; ++i) flood.push_back(std::make_unique<Call>(stage.stub(), With("tenant", "loud")));
  WaitUntil([&] { return Metric(stage.server(), "anybit_queue_requests"); }, 3);
  Call quiet(stage.stub(), With("tenant", "quiet"));
  WaitUntil([&] { return Ended(stage.server(), "shed"); }, 1);
  gate.Open();
  EXPECT_TRUE(quiet.Wait().ok()) << quiet.Wait().error_message();
  EXPECT_TRUE(running.Wait().ok());
  for (auto& call : flood) (void)call->Wait();
  const auto requests = [&](const std::string& tenant, const std::string& met) {
    return Metric(stage.server(), "anybit_tenant_requests_total{met=\"" + met + "\",tenant=\"" + tenant + "\"}");
  };
  EXPECT_EQ(requests("loud", "true"), 3);
  EXPECT_EQ(requests("loud", "false"), 1);
  EXPECT_EQ(requests("quiet", "true"), 2);
  EXPECT_EQ(requests("quiet", "false"), 0);
  EXPECT_EQ(Metric(stage.server(), "anybit_tenant_served_accuracy_ratio_count{tenant=\"loud\"}"), 3);
}

TEST(ServerTest, ATenantsFloorHoldsWhereThePolicyWouldGoBelow) {
  ServerOptions options = Options();
  options.policy = "fixed:w1a1";
  options.tenants = {{.name = "default"}, {.name = "careful", .accuracy_floor_bp = 9200}};
  Stage stage(options);
  ModelInferResponse response;
  ASSERT_TRUE(stage.Infer(With("tenant", "careful"), &response).ok());
  EXPECT_GE(response.parameters().at("expected_accuracy_bp").int64_param(), 9200);
  ASSERT_TRUE(stage.Infer(With("tenant", "default"), &response).ok());
  EXPECT_EQ(response.parameters().at("operating_point").string_param(), "w1a1");
}

TEST(ServerTest, WhatExceedsTheMemoryForRequestsIsRefusedAtOnceAndTheOthersAreServed) {
  Gate gate;
  ServerOptions options = Options();
  options.max_queue_bytes = 310'000;  // the largest request, of 262 KiB and overhead, beside one small one
  Stage stage(options, gate.Hold());
  EXPECT_EQ(stage.server().facts().request_limit_bytes, 310'000);
  Call running(stage.stub(), Request());
  gate.WaitUntilARunBegan();
  Call waiting(stage.stub(), Request());
  WaitUntil([&] { return Metric(stage.server(), "anybit_queue_requests"); }, 1);
  Call refused(stage.stub(), Request());
  const grpc::Status status = refused.Wait();
  EXPECT_EQ(status.error_code(), StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("the server's limit of 310000 bytes (--max_queue_bytes)"));
  EXPECT_EQ(refused.context().GetServerTrailingMetadata().count("grpc-retry-pushback-ms"), 1u);
  EXPECT_EQ(Ended(stage.server(), "shed"), 1);
  EXPECT_GT(Metric(stage.server(), "anybit_request_memory_bytes"), 2 * 16'000);
  gate.Open();
  EXPECT_TRUE(running.Wait().ok());
  EXPECT_TRUE(waiting.Wait().ok());
  WaitUntil([&] { return Metric(stage.server(), "anybit_request_memory_bytes"); }, 0);
  EXPECT_TRUE(stage.Infer(Request()).ok());
}

TEST(ServerTest, HowEverACallEndsItsMemoryComesBack) {
  Stage stage(Options());
  ModelInferRequest invalid = Request();
  invalid.clear_inputs();
  (void)stage.Infer(invalid);
  (void)stage.Infer(Request());
  (void)CallRaw(stage.channel(), "/inference.GRPCInferenceService/ModelInfer", "\xff");
  for (int i = 0; i < 20; ++i) {
    Call call(stage.stub(), Request());
    call.Cancel();
    (void)call.Wait();
  }
  WaitUntil([&] { return Metric(stage.server(), "anybit_request_memory_bytes"); }, 0);
}

// ---- Life and death

TEST(ServerTest, ACancelledCallThatWaitsEndsAndTheOthersAreServed) {
  Gate gate;
  Stage stage(Options(), gate.Hold());
  Call running(stage.stub(), Request());
  gate.WaitUntilARunBegan();
  Call waiting(stage.stub(), Request());
  Call other(stage.stub(), Request());
  WaitUntil([&] { return Metric(stage.server(), "anybit_queue_requests"); }, 2);
  waiting.Cancel();
  EXPECT_EQ(waiting.Wait().error_code(), StatusCode::CANCELLED);
  WaitUntil([&] { return Ended(stage.server(), "cancelled"); }, 1);
  gate.Open();
  EXPECT_TRUE(running.Wait().ok());
  EXPECT_TRUE(other.Wait().ok());
  EXPECT_EQ(gate.rows_begun(), 2) << "the cancelled one's row ran";
}

TEST(ServerTest, ACallCancelledWhileItRunsIsCountedAsCancelledAndLeavesItsServerWhole) {
  Gate gate;
  Stage stage(Options(), gate.Hold());
  // A cancellation that reaches the server after the run was let go finds the call served: then once more.
  int calls = 0;
  while (Ended(stage.server(), "cancelled") == 0 && calls < 200) {
    ++calls;
    Call running(stage.stub(), Request());
    gate.WaitUntilARunBegan();
    running.Cancel();
    EXPECT_EQ(running.Wait().error_code(), StatusCode::CANCELLED);
    gate.Open();
    WaitUntil([&] { return Ended(stage.server(), "served") + Ended(stage.server(), "cancelled"); }, calls);
    gate.Close();
  }
  EXPECT_EQ(Ended(stage.server(), "cancelled"), 1);
  EXPECT_EQ(Ended(stage.server(), "served"), calls - 1);
  gate.Open();
  EXPECT_TRUE(stage.Infer(Request()).ok());
}

TEST(ServerTest, ACallWhoseGrpcDeadlinePassesWhileItWaitsIsCountedAsExpired) {
  Gate gate;
  Stage stage(Options(), gate.Hold());
  Call running(stage.stub(), Request());
  gate.WaitUntilARunBegan();
  Call waiting(stage.stub(), Request(), milliseconds(50));
  EXPECT_EQ(waiting.Wait().error_code(), StatusCode::DEADLINE_EXCEEDED);
  WaitUntil([&] { return Ended(stage.server(), "expired"); }, 1);
  EXPECT_EQ(Ended(stage.server(), "cancelled"), 0);
  gate.Open();
  EXPECT_TRUE(running.Wait().ok());
}

TEST(ServerTest, ACallWhoseGrpcDeadlinePassesWhileItRunsIsCountedAsMissed) {
  constexpr milliseconds kTimeout(300);
  Gate gate;
  Stage stage(Options(), gate.Hold());
  Call running(stage.stub(), Request(), kTimeout);
  gate.WaitUntilARunBegan();
  EXPECT_EQ(running.Wait().error_code(), StatusCode::DEADLINE_EXCEEDED);
  // This one came later and may wait as long: when it has expired, the other's deadline has passed by every clock.
  Call waiting(stage.stub(), Request(), kTimeout);
  EXPECT_EQ(waiting.Wait().error_code(), StatusCode::DEADLINE_EXCEEDED);
  WaitUntil([&] { return Ended(stage.server(), "expired"); }, 1);
  gate.Open();
  const std::string missed = "anybit_slo_requests_total{met=\"false\",sla_class=\"default\"}";
  WaitUntil([&] { return Metric(stage.server(), missed); }, 2);
  EXPECT_EQ(Ended(stage.server(), "served"), 1);
  EXPECT_EQ(Ended(stage.server(), "cancelled"), 0);
}

TEST(ServerTest, CancellationsThatRaceWithTheirAnswersHarmNothing) {
  Stage stage(Options());
  for (int round = 0; round < 50; ++round) {
    std::vector<std::unique_ptr<Call>> calls;
    for (int i = 0; i < 20; ++i) calls.push_back(std::make_unique<Call>(stage.stub(), Request()));
    for (auto& call : calls) call->Cancel();
    for (auto& call : calls) {
      const StatusCode code = call->Wait().error_code();
      EXPECT_TRUE(code == StatusCode::OK || code == StatusCode::CANCELLED) << code;
    }
  }
  EXPECT_TRUE(stage.Infer(Request()).ok());
}

TEST(ServerTest, AFailingNetworkFailsThatCallOnly) {
  Stage stage(Options(), [](int point, int) {
    return point == SumNetwork::kFp32 ? absl::InternalError("broken kernel") : absl::OkStatus();
  });
  const grpc::Status status = stage.Infer(Pinned("fp32"));
  EXPECT_EQ(status.error_code(), StatusCode::INTERNAL);
  EXPECT_THAT(status.error_message(), HasSubstr("broken kernel"));
  EXPECT_TRUE(stage.Infer(Pinned("w8a8")).ok());
}

TEST(ServerTest, DrainingAnswersWhatWasAcceptedAndRefusesWhatIsNew) {
  Gate gate;
  Stage stage(Options(), gate.Hold());
  Call accepted(stage.stub(), Request());
  gate.WaitUntilARunBegan();
  absl::Notification drained;
  stage.server().Drain([&] { drained.Notify(); });
  // The channel goes elsewhere, where this server does not listen any more.
  EXPECT_TRUE(stage.channel()->WaitForStateChange(GRPC_CHANNEL_READY, std::chrono::system_clock::now() + seconds(20)));
  const grpc::Status refused = stage.Infer(Request());
  EXPECT_EQ(refused.error_code(), StatusCode::UNAVAILABLE) << refused.error_message();
  EXPECT_FALSE(accepted.ended());
  EXPECT_FALSE(drained.HasBeenNotified());
  gate.Open();
  drained.WaitForNotification();
  EXPECT_TRUE(accepted.Wait().ok());
}

TEST(ServerTest, DrainingSendsTheClientsNextCallsElsewhereAndLosesNone) {
  Gate gate;
  Stage stage(Options(), gate.Hold());
  Call accepted(stage.stub(), Request());
  gate.WaitUntilARunBegan();
  ASSERT_EQ(stage.channel()->GetState(false), GRPC_CHANNEL_READY);
  absl::Notification drained;
  stage.server().Drain([&] { drained.Notify(); });
  // By GOAWAY: the channel may not be used for another call, though one is open.
  EXPECT_TRUE(stage.channel()->WaitForStateChange(GRPC_CHANNEL_READY, std::chrono::system_clock::now() + seconds(20)));
  EXPECT_FALSE(accepted.ended());
  gate.Open();
  drained.WaitForNotification();
  EXPECT_TRUE(accepted.Wait().ok()) << accepted.Wait().error_message();
}

TEST(ServerTest, WithoutOpenCallsADrainEndsAtOnce) {
  Stage stage(Options());
  ASSERT_TRUE(stage.Infer(Request()).ok());
  absl::Notification drained;
  stage.server().Drain([&] { drained.Notify(); });
  drained.WaitForNotification();
  stage.server().Stop(seconds(1));
}

TEST(ServerTest, AServerThatStopsBeingReadySaysSoAndServesOn) {
  Stage stage(Options());
  stage.server().StopBeingReady();
  int serving = 0;
  for (const char* service : {"", "readiness", "inference.GRPCInferenceService"}) {
    ASSERT_EQ(CheckHealth(stage.channel(), service, &serving), StatusCode::OK);
    EXPECT_EQ(serving, kNotServing) << service;
  }
  ASSERT_EQ(CheckHealth(stage.channel(), "liveness", &serving), StatusCode::OK);
  EXPECT_EQ(serving, kServing);
  grpc::ClientContext context;
  inference::RepositoryIndexResponse index;
  ASSERT_TRUE(stage.stub().RepositoryIndex(&context, {}, &index).ok());
  EXPECT_EQ(index.models(0).state(), "UNAVAILABLE");
  EXPECT_TRUE(stage.Infer(Request()).ok());
}

TEST(ServerTest, StoppingEndsEveryCallAndEveryThread) {
  Gate gate;
  auto stage = std::make_unique<Stage>(Options(), gate.Hold());
  Call running(stage->stub(), Request());
  gate.WaitUntilARunBegan();
  Call waiting(stage->stub(), Request());
  std::thread stopper([&] { stage->server().Stop(Duration::zero()); });
  EXPECT_FALSE(waiting.Wait().ok());
  EXPECT_FALSE(running.Wait().ok());
  gate.Open();  // a run cannot be interrupted; Stop waits for it
  stopper.join();
}

TEST(ServerTest, MetricsAndProbesTellWhatHappened) {
  Stage stage(Options("127.0.0.1:0"));
  const int http = stage.server().http_port();
  EXPECT_EQ(HttpGet(http, "/livez").code, 200);
  EXPECT_EQ(HttpGet(http, "/readyz").code, 200);
  EXPECT_EQ(MetricsLine(http, "anybit_model_info"), "anybit_model_info{model=\"sums\",version=\"7\"} 1");

  for (int i = 0; i < 3; ++i) ASSERT_TRUE(stage.Infer(Pinned("w4a4f")).ok());
  ASSERT_TRUE(stage.Infer(Request(std::string(16, 'a'))).ok());
  ModelInferRequest careful = Request();
  (*careful.mutable_parameters())["sla_class"].set_string_param("careful");
  ASSERT_TRUE(stage.Infer(careful).ok());
  ModelInferRequest invalid = Request();
  invalid.clear_inputs();
  for (int i = 0; i < 2; ++i) ASSERT_FALSE(stage.Infer(invalid).ok());

  EXPECT_EQ(MetricsLine(http, "anybit_requests_total{outcome=\"served\"}"),
            "anybit_requests_total{outcome=\"served\"} 5");
  EXPECT_EQ(MetricsLine(http, "anybit_requests_total{outcome=\"invalid\"}"),
            "anybit_requests_total{outcome=\"invalid\"} 2");
  EXPECT_EQ(MetricsLine(http, "anybit_rows_total{operating_point=\"w4a4f\"}"),
            "anybit_rows_total{operating_point=\"w4a4f\"} 3");
  EXPECT_EQ(MetricsLine(http, "anybit_batch_rows_sum"), "anybit_batch_rows_sum 8");
  EXPECT_EQ(MetricsLine(http, "anybit_slo_requests_total{met=\"true\",sla_class=\"careful\"}"),
            "anybit_slo_requests_total{met=\"true\",sla_class=\"careful\"} 1");
  EXPECT_EQ(MetricsLine(http, "anybit_tenant_requests_total{met=\"true\",tenant=\"default\"}"),
            "anybit_tenant_requests_total{met=\"true\",tenant=\"default\"} 5");
  EXPECT_EQ(MetricsLine(http, "anybit_queue_requests"), "anybit_queue_requests 0");

  stage.server().StopBeingReady();
  EXPECT_EQ(HttpGet(http, "/livez").code, 200);
  EXPECT_EQ(HttpGet(http, "/readyz").code, 503);
}

TEST(ServerTest, BeforeAModelIsThereTheServerIsAliveAndNotReady) {
  const auto server = Server::Listen(Options("127.0.0.1:0"), ComposeServing);
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_EQ(HttpGet((*server)->http_port(), "/livez").code, 200);
  EXPECT_EQ(HttpGet((*server)->http_port(), "/readyz").code, 503);
  EXPECT_EQ(HttpGet((*server)->http_port(), "/metrics").code, 200);
}

// ---- Starts that fail

absl::Status StartWith(ServerOptions options) {
  auto server = Server::Listen(std::move(options), ComposeServing);
  if (!server.ok()) return server.status();
  return (*server)->Serve(std::make_unique<SumNetwork>());
}

TEST(ServerStartTest, APortInUseIsAClearError) {
  Stage stage(Options());
  ServerOptions options = Options();
  options.grpc_address = absl::StrCat("127.0.0.1:", stage.server().grpc_port());
  const absl::Status status = StartWith(options);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("cannot serve gRPC: " + options.grpc_address + " is in use"));
}

TEST(ServerStartTest, AnAddressThatIsNotThisMachinesIsToldFromOneInUse) {
  ServerOptions options = Options();
  options.grpc_address = "192.0.2.1:0";
  EXPECT_THAT(std::string(StartWith(options).message()), HasSubstr("'192.0.2.1' is not an address of this machine"));
  options = Options("192.0.2.1:0");
  EXPECT_THAT(std::string(StartWith(options).message()), HasSubstr("'192.0.2.1' is not an address of this machine"));
}

TEST(ServerStartTest, Ipv6IsServedOnBothPorts) {
  if (!ListeningSockets::CanOpen("[::1]:0").ok()) GTEST_SKIP() << "this machine has no IPv6";
  ServerOptions options = Options("[::1]:0");
  options.grpc_address = "[::]:0";
  Stage stage(options);  // its client comes by IPv4, which [::] takes as well
  EXPECT_TRUE(stage.Infer(Request()).ok());
  const auto channel =
      grpc::CreateChannel(absl::StrCat("[::1]:", stage.server().grpc_port()), grpc::InsecureChannelCredentials());
  grpc::ClientContext context;
  inference::ServerLiveResponse response;
  EXPECT_TRUE(GRPCInferenceService::NewStub(channel)->ServerLive(&context, {}, &response).ok());
  EXPECT_EQ(HttpGet(stage.server().http_port(), "/readyz", "GET", "::1").code, 200);
}

TEST(ServerStartTest, LessMemoryThanTheLargestRequestTakesIsRefused) {
  ServerOptions options = Options();
  options.max_queue_bytes = 100'000;
  const absl::Status status = StartWith(options);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("--max_queue_bytes is 100000, less than the "));
}

TEST(ServerStartTest, WithoutALimitRequestsMayHoldPartOfTheMemoryThatThereIs) {
  Stage stage(Options());
  EXPECT_GT(stage.server().facts().request_limit_bytes, 1 << 20);
  EXPECT_LT(stage.server().facts().request_limit_bytes, UsableMemoryBytes());
}

TEST(ServerStartTest, AFloorThatNoPointMeetsIsRefused) {
  ServerOptions options = Options();
  options.sla_classes.push_back({.name = "gold", .accuracy_floor_bp = 9301});
  absl::Status status = StartWith(options);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("SLA class gold"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("9300"));
  options = Options();
  options.tenants.push_back({.name = "search", .accuracy_floor_bp = 9302});
  status = StartWith(options);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("tenant search has an accuracy floor of 9302"));
}

TEST(ServerStartTest, AnUnknownPolicyOrAFixedOneForAnUnknownPointIsRefusedWithAList) {
  ServerOptions options = Options();
  for (const char* policy : {"", "fastest", "fixed", "fixed:", "fixed:w9a9"}) {
    options.policy = policy;
    const absl::Status status = StartWith(options);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()),
                HasSubstr(absl::StrCat("\"", policy, "\"; there are anybit, slackfit, fixed:")));
  }
  options.policy = "fixed:w4a4f";
  Stage stage(options);
  ModelInferResponse response;
  ASSERT_TRUE(stage.Infer(Request(), &response).ok());
  EXPECT_EQ(response.parameters().at("operating_point").string_param(), "w4a4f");
}

TEST(ServerStartTest, AProfileThatDoesNotFitIsRefused) {
  ServerOptions options = Options();
  options.max_batch = 5;
  absl::Status status = StartWith(options);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("up to 4 rows, fewer than --max_batch 5"));

  options = Options();
  std::ofstream(options.profile) << R"({"max_batch": 4, "points": [{"name": "fp32", "accuracy": 1,
                                        "latency_us": [1, 1, 1, 1]}]})";
  status = StartWith(options);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("no operating point w8a8"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("profile " + options.profile + ": "));
}

// ---- Kernel choices

model::KernelChoices Choices(const std::string& isa, const std::string& algorithm) {
  model::LayerChoice layer{.point = "w8a8", .node = "stem", .algorithms = {}};
  layer.algorithms.fill(algorithm);
  return {.isa = isa, .layers = {layer}};
}

// Chooses "measured" when it measures, for instruction set "abacus"; knows of one layer. Tells what was done to it.
class ChoosingNetwork : public SumNetwork, public model::KernelChooser {
 public:
  struct Log {
    int measurements = 0;
    int max_rows = 0;
    int runs_at_first_choice = -1;
    int runs = 0;
    model::KernelChoices choices;  // as the server left them
  };

  explicit ChoosingNetwork(Log& log)
      : SumNetwork([&log](int, int) {
          ++log.runs;
          return absl::OkStatus();
        }),
        log_(log) {
    log_.choices = Choices("abacus", "guessed");
  }

  model::KernelChooser* kernel_chooser() override { return this; }
  model::KernelChoices choices() const override { return log_.choices; }
  absl::Status SetChoices(const model::KernelChoices& choices) override {
    if (choices.layers.at(0).node != "stem") return absl::InvalidArgumentError("no such layer");
    Choose(choices);
    return absl::OkStatus();
  }
  void MeasureChoices(int max_rows, std::chrono::nanoseconds budget, const model::MonotonicClock& now) override {
    ++log_.measurements;
    log_.max_rows = max_rows;
    EXPECT_GT(budget.count(), 0);
    const std::chrono::nanoseconds before = now();
    EXPECT_LE(before, now());
    Choose(Choices("abacus", "measured"));
  }

 private:
  void Choose(const model::KernelChoices& choices) {
    if (log_.runs_at_first_choice < 0) log_.runs_at_first_choice = log_.runs;
    log_.choices = choices;
  }

  Log& log_;
};

absl::Status StartChoosing(ServerOptions options, ChoosingNetwork::Log& log) {
  auto server = Server::Listen(std::move(options), ComposeServing);
  if (!server.ok()) return server.status();
  const absl::Status status = (*server)->Serve(std::make_unique<ChoosingNetwork>(log));
  if (status.ok()) {
    EXPECT_EQ((*server)->facts().isa, "abacus");
    EXPECT_THAT((*server)->MetricsText(), HasSubstr("anybit_model_info{isa=\"abacus\","));
  }
  return status;
}

// kProfile with `kernels` as a member.
void WriteProfileWith(const std::string& path, const std::string& kernels) {
  std::string json = kProfile;
  json.insert(json.rfind('}'), ", \"kernels\": " + kernels);
  std::ofstream(path) << json;
}

TEST(ServerKernelsTest, AreMeasuredBeforeLatenciesSavedWithThemAndLoadedInstead) {
  ServerOptions options = Options();
  options.profile = "";
  options.save_profile = ::testing::TempDir() + "/with_kernels.json";
  ChoosingNetwork::Log log;
  ASSERT_TRUE(StartChoosing(options, log).ok());
  EXPECT_EQ(log.measurements, 1);
  EXPECT_EQ(log.max_rows, 4);
  EXPECT_EQ(log.runs_at_first_choice, 0);
  EXPECT_EQ(log.choices, Choices("abacus", "measured"));

  options.profile = options.save_profile;
  options.save_profile = "";
  ChoosingNetwork::Log second;
  ASSERT_TRUE(StartChoosing(options, second).ok());
  EXPECT_EQ(second.measurements, 0);
  EXPECT_EQ(second.choices, Choices("abacus", "measured"));
}

TEST(ServerKernelsTest, EachPointHasRunWithItsKernelsBeforeTheServerIsReady) {
  ChoosingNetwork::Log log;
  ASSERT_TRUE(StartChoosing(Options(), log).ok());
  EXPECT_EQ(log.runs_at_first_choice, 0);
  EXPECT_EQ(log.runs, 4);
}

TEST(ServerKernelsTest, AreMeasuredWhereTheProfileHasNoneOrThoseOfAnotherInstructionSet) {
  ChoosingNetwork::Log without;
  ASSERT_TRUE(StartChoosing(Options(), without).ok());
  EXPECT_EQ(without.measurements, 1);
  const ServerOptions options = Options();
  WriteProfileWith(options.profile, R"({"isa": "quipu", "layers": [
      {"point": "w8a8", "node": "stem", "algorithms": ["a", "a", "a", "a", "a"]}]})");
  ChoosingNetwork::Log other;
  ASSERT_TRUE(StartChoosing(options, other).ok());
  EXPECT_EQ(other.measurements, 1);
  EXPECT_EQ(other.choices, Choices("abacus", "measured"));
}

TEST(ServerKernelsTest, ThatDoNotFitTheNetworkAreRefusedWithTheFilesName) {
  const ServerOptions options = Options();
  WriteProfileWith(options.profile, R"({"isa": "abacus", "layers": [
      {"point": "w8a8", "node": "leaf", "algorithms": ["a", "a", "a", "a", "a"]}]})");
  ChoosingNetwork::Log log;
  const absl::Status status = StartChoosing(options, log);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(std::string(status.message()), "profile " + options.profile + ": no such layer");
}

TEST(ServerKernelsTest, ANetworkWithoutAChoiceOfThemIgnoresThoseOfTheProfile) {
  const ServerOptions options = Options();
  WriteProfileWith(options.profile, R"({"isa": "abacus", "layers": []})");
  Stage stage(options);
  EXPECT_EQ(stage.server().facts().isa, "");
  EXPECT_TRUE(stage.Infer(Request()).ok());
}

// ---- Processors

TEST(ServerProcessorsTest, BatchesRunOnTheSlotsProcessorsAndMeasurementsToo) {
  std::vector<Processor> ran_on;
  const SumNetwork::BeforeRun note = [&](int, int) {
    ran_on = AllowedProcessors();
    return absl::OkStatus();
  };
  const std::vector<Processor> here = AllowedProcessors();
  ServerOptions options = Options();
  // One that there is, and one that the slot does not want.
  options.processors = {here.back(), {.number = 60000, .core = 60000}};
  for (const bool measured : {false, true}) {
    if (measured) options.profile = "";
    Stage stage(options, note);
    EXPECT_TRUE(stage.server().facts().pinning.ok()) << stage.server().facts().pinning;
    if (!measured) {
      ASSERT_TRUE(stage.Infer(Request()).ok());
    }
    EXPECT_THAT(ran_on, ElementsAre(here.back()));
    ran_on.clear();
  }
  options.profile = Options().profile;
  options.pin = false;
  Stage stage(options, note);
  ASSERT_TRUE(stage.Infer(Request()).ok());
  EXPECT_EQ(ran_on, here);
}

TEST(ServerProcessorsTest, WhereTheSystemRefusesThemTheServerServesAndTellsWhy) {
  ServerOptions options = Options();
  options.processors = {{.number = 60000, .core = 60000}, {.number = 60001, .core = 60001}};
  Stage stage(options);
  EXPECT_THAT(std::string(stage.server().facts().pinning.message()), HasSubstr("processors 60000"));
  EXPECT_TRUE(stage.Infer(Request()).ok());
}

// ---- Profiles

TEST(ServerStartTest, AMeasuredProfileCanBeSavedAndLoaded) {
  ServerOptions options = Options();
  options.profile = "";
  options.save_profile = ::testing::TempDir() + "/saved.json";
  ASSERT_TRUE(StartWith(options).ok());
  options.profile = options.save_profile;
  options.save_profile = "";
  options.max_batch = 2;
  Stage stage(options);
  EXPECT_EQ(stage.server().facts().profile.max_batch, 2);
  EXPECT_EQ(stage.server().facts().profile.points[2].name, "w4a4f");
}

}  // namespace
}  // namespace anybit::server
