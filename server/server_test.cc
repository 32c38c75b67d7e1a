// A server's life: before the network, ready, no longer ready, draining, stopped; and its HTTP side.
#include "server/server.h"

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "absl/status/status.h"
#include "absl/synchronization/notification.h"
#include "proto/health.pb.h"
#include "proto/inference.grpc.pb.h"
#include "server/compose_serving.h"
#include "server/http/testing/http_get.h"
#include "server/testing/gate.h"
#include "server/testing/server_fixture.h"

namespace anybit::server {
namespace {

using grpc::StatusCode;
using grpc::health::v1::HealthCheckResponse;
using inference::ModelInferRequest;
using std::chrono::seconds;
using testing::Call;
using testing::Gate;
using testing::HealthOf;
using testing::HttpGet;
using testing::Options;
using testing::Pinned;
using testing::Request;
using testing::ServerFixture;

TEST(ServerTest, BeforeAModelIsThereTheServerIsAliveAndNotReady) {
  const auto server = Server::Listen(Options("127.0.0.1:0"), ComposeServing);
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_EQ(HttpGet((*server)->http_port(), "/livez").code, 200);
  EXPECT_EQ(HttpGet((*server)->http_port(), "/readyz").code, 503);
  EXPECT_EQ(HttpGet((*server)->http_port(), "/metrics").code, 200);
}

// A line of the metrics page, by its beginning; "" if there is none.
std::string MetricsLine(int http_port, const std::string& beginning) {
  const std::string page = "\n" + HttpGet(http_port, "/metrics").body;
  const auto at = page.find("\n" + beginning);
  return at == std::string::npos ? "" : page.substr(at + 1, page.find('\n', at + 1) - at - 1);
}

TEST(ServerTest, MetricsAndProbesTellWhatHappened) {
  ServerFixture fixture(Options("127.0.0.1:0"));
  const int http = fixture.server().http_port();
  EXPECT_EQ(HttpGet(http, "/livez").code, 200);
  EXPECT_EQ(HttpGet(http, "/readyz").code, 200);
  EXPECT_EQ(MetricsLine(http, "anybit_model_info"), "anybit_model_info{model=\"sums\",version=\"7\"} 1");

  for (int i = 0; i < 3; ++i) ASSERT_TRUE(fixture.Infer(Pinned("w4a4f")).ok());
  ASSERT_TRUE(fixture.Infer(Request(std::string(16, 'a'))).ok());
  ModelInferRequest careful = Request();
  (*careful.mutable_parameters())["sla_class"].set_string_param("careful");
  ASSERT_TRUE(fixture.Infer(careful).ok());
  ModelInferRequest invalid = Request();
  invalid.clear_inputs();
  for (int i = 0; i < 2; ++i) ASSERT_FALSE(fixture.Infer(invalid).ok());

  for (const char* line :
       {R"(anybit_requests_total{outcome="served",version="7"} 5)", R"(anybit_requests_total{outcome="invalid"} 2)",
        R"(anybit_rows_total{operating_point="w4a4f",version="7"} 3)", R"(anybit_batch_rows_sum{version="7"} 8)",
        R"(anybit_slo_requests_total{met="true",sla_class="careful",version="7"} 1)",
        R"(anybit_tenant_requests_total{met="true",tenant="default",version="7"} 5)",
        R"(anybit_queue_requests{version="7"} 0)"}) {
    const std::string series(line, std::string(line).rfind(' '));
    EXPECT_EQ(MetricsLine(http, series), line);
  }

  fixture.server().StopBeingReady();
  EXPECT_EQ(HttpGet(http, "/livez").code, 200);
  EXPECT_EQ(HttpGet(http, "/readyz").code, 503);
}

TEST(ServerTest, AServerWhoseNetworkIsLostFailsItsRequestsAndIsNoLongerReady) {
  std::atomic<int> runs = 0;
  ServerFixture fixture(Options("127.0.0.1:0"), [&](int, int) {
    return ++runs > 1 ? absl::DataLossError("the device fell off its bus") : absl::OkStatus();
  });
  const int http = fixture.server().http_port();
  ASSERT_TRUE(fixture.Infer(Request()).ok());
  EXPECT_EQ(HttpGet(http, "/readyz").code, 200);
  EXPECT_EQ(fixture.Infer(Request()).error_code(), StatusCode::INTERNAL);
  EXPECT_EQ(HttpGet(http, "/readyz").code, 503);
  EXPECT_EQ(HttpGet(http, "/livez").code, 200);
  EXPECT_EQ(HealthOf(fixture, "readiness"), HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(HealthOf(fixture, "liveness"), HealthCheckResponse::SERVING);
  // A later request neither hangs nor reaches the network.
  EXPECT_EQ(fixture.Infer(Request()).error_code(), StatusCode::INTERNAL);
  EXPECT_EQ(runs, 2);
}

TEST(ServerTest, AServerThatStopsBeingReadySaysSoAndServesOn) {
  ServerFixture fixture(Options());
  fixture.server().StopBeingReady();
  for (const char* service : {"", "readiness", "inference.GRPCInferenceService"}) {
    EXPECT_EQ(HealthOf(fixture, service), HealthCheckResponse::NOT_SERVING) << service;
  }
  EXPECT_EQ(HealthOf(fixture, "liveness"), HealthCheckResponse::SERVING);
  grpc::ClientContext context;
  inference::RepositoryIndexResponse index;
  ASSERT_TRUE(fixture.stub().RepositoryIndex(&context, {}, &index).ok());
  EXPECT_EQ(index.models(0).state(), "UNAVAILABLE");
  EXPECT_TRUE(fixture.Infer(Request()).ok());
}

TEST(ServerTest, DrainingAnswersWhatWasAcceptedAndRefusesWhatIsNew) {
  Gate gate;
  ServerFixture fixture(Options(), gate.Hold());
  Call accepted(fixture.stub(), Request());
  gate.WaitUntilARunBegan();
  absl::Notification drained;
  fixture.server().Drain([&] { drained.Notify(); });
  // The channel goes elsewhere, where this server does not listen any more.
  EXPECT_TRUE(
      fixture.channel()->WaitForStateChange(GRPC_CHANNEL_READY, std::chrono::system_clock::now() + seconds(20)));
  const grpc::Status refused = fixture.Infer(Request());
  EXPECT_EQ(refused.error_code(), StatusCode::UNAVAILABLE) << refused.error_message();
  EXPECT_FALSE(accepted.ended());
  EXPECT_FALSE(drained.HasBeenNotified());
  gate.Open();
  drained.WaitForNotification();
  EXPECT_TRUE(accepted.Wait().ok());
}

TEST(ServerTest, DrainingSendsTheClientsNextCallsElsewhereAndLosesNone) {
  Gate gate;
  ServerFixture fixture(Options(), gate.Hold());
  Call accepted(fixture.stub(), Request());
  gate.WaitUntilARunBegan();
  ASSERT_EQ(fixture.channel()->GetState(false), GRPC_CHANNEL_READY);
  absl::Notification drained;
  fixture.server().Drain([&] { drained.Notify(); });
  // By GOAWAY: the channel may not be used for another call, though one is open.
  EXPECT_TRUE(
      fixture.channel()->WaitForStateChange(GRPC_CHANNEL_READY, std::chrono::system_clock::now() + seconds(20)));
  EXPECT_FALSE(accepted.ended());
  gate.Open();
  drained.WaitForNotification();
  EXPECT_TRUE(accepted.Wait().ok()) << accepted.Wait().error_message();
}

TEST(ServerTest, WithoutOpenCallsADrainEndsAtOnce) {
  ServerFixture fixture(Options());
  ASSERT_TRUE(fixture.Infer(Request()).ok());
  absl::Notification drained;
  fixture.server().Drain([&] { drained.Notify(); });
  drained.WaitForNotification();
  fixture.server().Stop(seconds(1));
}

TEST(ServerTest, StoppingEndsEveryCallAndEveryThread) {
  Gate gate;
  auto fixture = std::make_unique<ServerFixture>(Options(), gate.Hold());
  Call running(fixture->stub(), Request());
  gate.WaitUntilARunBegan();
  Call waiting(fixture->stub(), Request());
  std::thread stopper([&] { fixture->server().Stop(Duration::zero()); });
  EXPECT_FALSE(waiting.Wait().ok());
  EXPECT_FALSE(running.Wait().ok());
  gate.Open();  // a run cannot be interrupted; Stop waits for it
  stopper.join();
}

}  // namespace
}  // namespace anybit::server
