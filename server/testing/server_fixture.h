// The whole server in one process, and a client of it: a real gRPC channel on a free port, over a network of sums.
//
//   Gate gate;
//   ServerFixture fixture(Options(), gate.Hold());
//   Call running(fixture.stub(), Request());
//   gate.WaitUntilARunBegan();
#ifndef ANYBIT_SERVER_TESTING_SERVER_FIXTURE_H_
#define ANYBIT_SERVER_TESTING_SERVER_FIXTURE_H_

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/synchronization/notification.h"
#include "proto/health.pb.h"
#include "proto/inference.grpc.pb.h"
#include "server/server.h"
#include "server/testing/sum_network.h"

namespace anybit::server::testing {

// Of the network of sums. The scheduler believes these latencies, so no test depends on how fast this machine is.
extern const char kSumsProfile[];

// Free ports, kSumsProfile in a file, and a class "careful" with an objective of a minute and a floor of 92 %.
ServerOptions Options(const std::string& http_address = "");

// Listens and serves the network of sums, then stops.
absl::Status StartWith(ServerOptions options);

class ServerFixture {
 public:
  explicit ServerFixture(ServerOptions options, SumNetwork::BeforeRun before_run = nullptr);
  // `network` is the first one; `make_serving` may load others.
  ServerFixture(ServerOptions options, MakeServing make_serving, std::unique_ptr<model::AdaptiveNetwork> network);

  Server& server() { return *server_; }
  inference::GRPCInferenceService::Stub& stub() { return *stub_; }
  const std::shared_ptr<grpc::Channel>& channel() { return channel_; }

  grpc::Status Infer(const inference::ModelInferRequest& request, inference::ModelInferResponse* response);
  grpc::Status Infer(const inference::ModelInferRequest& request);

 private:
  std::unique_ptr<Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<inference::GRPCInferenceService::Stub> stub_;
};

// One server for all tests that leave it as it was.
class SharedServerTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { shared_ = new ServerFixture(Options()); }
  static void TearDownTestSuite() { delete shared_; }
  static inline ServerFixture* shared_ = nullptr;
};

// A request of one row for each four bytes of `raw`.
inference::ModelInferRequest Request(const std::string& raw = std::string("\x01\x02\x03\x04", 4));
// Request() with a parameter.
inference::ModelInferRequest With(const std::string& parameter, const std::string& value);
inference::ModelInferRequest Pinned(const std::string& point);

std::vector<float> Logits(const inference::ModelInferResponse& response);

// A ModelInfer in flight.
class Call {
 public:
  // With `server_side_timeout` the server sees a gRPC deadline and the client's library has none: what is tested does
  // not depend on whose timer fires first.
  Call(inference::GRPCInferenceService::Stub& stub, inference::ModelInferRequest request,
       std::chrono::milliseconds server_side_timeout = {});

  void Cancel() { context_.TryCancel(); }
  grpc::Status Wait();
  bool ended() const { return ended_.HasBeenNotified(); }
  const grpc::ClientContext& context() const { return context_; }

 private:
  grpc::ClientContext context_;
  const inference::ModelInferRequest request_;
  inference::ModelInferResponse response_;
  grpc::Status status_;
  absl::Notification ended_;
};

// What grpc.health.v1.Health answers for `service`; SERVICE_UNKNOWN for NOT_FOUND.
grpc::health::v1::HealthCheckResponse::ServingStatus HealthOf(ServerFixture& fixture, const std::string& service);

// The value of a series, by its name and its labels but the version: the sum of all versions; 0 if there is none.
int Metric(const Server& server, const std::string& series);
// Requests that ended as `outcome`, and calls that were refused for `reason`.
int Ended(const Server& server, const std::string& outcome);
int RefusedCalls(const Server& server, const std::string& reason);

// Looks again and again until `look()` gives `value`. Gives up, and fails, after a time that nothing here takes.
void WaitUntil(absl::FunctionRef<int()> look, int value);

}  // namespace anybit::server::testing

#endif  // ANYBIT_SERVER_TESTING_SERVER_FIXTURE_H_
