#include "server/testing/server_fixture.h"

#include <cstring>
#include <fstream>
#include <memory>
#include <regex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "proto/health.grpc.pb.h"
#include "server/compose_serving.h"

namespace anybit::server::testing {

using inference::GRPCInferenceService;
using inference::ModelInferRequest;
using inference::ModelInferResponse;
using std::chrono::milliseconds;
using std::chrono::seconds;

extern const char kSumsProfile[] = R"({"max_batch": 4, "points": [
    {"name": "fp32", "accuracy": 0.93, "latency_us": [40, 80, 120, 160]},
    {"name": "w8a8", "accuracy": 0.92, "latency_us": [20, 40, 60, 80]},
    {"name": "w4a4f", "accuracy": 0.9, "latency_us": [10, 20, 30, 40]},
    {"name": "w1a1", "accuracy": 0.8, "latency_us": [5, 10, 15, 20]}]})";

ServerOptions Options(const std::string& http_address) {
  const std::string profile = ::testing::TempDir() + "/profile.json";
  std::ofstream(profile) << kSumsProfile;
  return {
      .artifact = "in memory",
      .grpc_address = "127.0.0.1:0",
      .http_address = http_address,
      .max_batch = 4,
      .profile = profile,
      .sla_classes = {{.name = "default"}, {.name = "careful", .objective = seconds(60), .accuracy_floor_bp = 9200}}};
}

absl::Status StartWith(ServerOptions options) {
  auto server = Server::Listen(std::move(options), ComposeServing);
  if (!server.ok()) return server.status();
  return (*server)->Serve(std::make_unique<SumNetwork>());
}

ServerFixture::ServerFixture(ServerOptions options, SumNetwork::BeforeRun before_run)
    : ServerFixture(std::move(options), ComposeServing, std::make_unique<SumNetwork>(std::move(before_run))) {}

ServerFixture::ServerFixture(ServerOptions options, MakeServing make_serving,
                             std::unique_ptr<model::AdaptiveNetwork> network) {
  auto server = Server::Listen(std::move(options), std::move(make_serving));
  EXPECT_TRUE(server.ok()) << server.status();
  server_ = *std::move(server);
  const absl::Status status = server_->Serve(std::move(network));
  EXPECT_TRUE(status.ok()) << status;
  channel_ = grpc::CreateChannel(absl::StrCat("127.0.0.1:", server_->grpc_port()), grpc::InsecureChannelCredentials());
  stub_ = GRPCInferenceService::NewStub(channel_);
}

grpc::Status ServerFixture::Infer(const ModelInferRequest& request, ModelInferResponse* response) {
  grpc::ClientContext context;
  return stub_->ModelInfer(&context, request, response);
}

grpc::Status ServerFixture::Infer(const ModelInferRequest& request) {
  ModelInferResponse response;
  return Infer(request, &response);
}

ModelInferRequest Request(const std::string& raw) {
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

Call::Call(GRPCInferenceService::Stub& stub, ModelInferRequest request, milliseconds server_side_timeout)
    : request_(std::move(request)) {
  if (server_side_timeout.count() > 0) {
    context_.AddMetadata("grpc-timeout", absl::StrCat(server_side_timeout.count(), "m"));
  }
  stub.async()->ModelInfer(&context_, &request_, &response_, [this](grpc::Status status) {
    status_ = std::move(status);
    ended_.Notify();
  });
}

grpc::Status Call::Wait() {
  ended_.WaitForNotification();
  return status_;
}

grpc::health::v1::HealthCheckResponse::ServingStatus HealthOf(ServerFixture& fixture, const std::string& service) {
  using grpc::health::v1::HealthCheckResponse;
  grpc::ClientContext context;
  grpc::health::v1::HealthCheckRequest request;
  request.set_service(service);
  HealthCheckResponse response;
  const grpc::Status status = grpc::health::v1::Health::NewStub(fixture.channel())->Check(&context, request, &response);
  if (status.error_code() == grpc::StatusCode::NOT_FOUND) return HealthCheckResponse::SERVICE_UNKNOWN;
  EXPECT_TRUE(status.ok()) << status.error_message();
  return response.status();
}

int Metric(const Server& server, const std::string& series) {
  static const std::regex* const kVersion = new std::regex(R"re(\{version="\d+"\}|,version="\d+"|version="\d+",)re");
  int sum = 0;
  for (absl::string_view line : absl::StrSplit(server.MetricsText(), '\n')) {
    const std::string plain = std::regex_replace(std::string(line), *kVersion, "");
    if (absl::StartsWith(plain, series + " ")) sum += std::stoi(plain.substr(series.size()));
  }
  return sum;
}

int Ended(const Server& server, const std::string& outcome) {
  return Metric(server, "anybit_requests_total{outcome=\"" + outcome + "\"}");
}

int RefusedCalls(const Server& server, const std::string& reason) {
  return Metric(server, "anybit_refused_calls_total{reason=\"" + reason + "\"}");
}

void WaitUntil(absl::FunctionRef<int()> look, int value) {
  const auto give_up_at = std::chrono::steady_clock::now() + seconds(20);
  while (look() != value && std::chrono::steady_clock::now() < give_up_at) std::this_thread::yield();
  EXPECT_EQ(look(), value);
}

}  // namespace anybit::server::testing
