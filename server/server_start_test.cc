// Starts: what is refused, profiles that are measured and loaded, the processors of slots.
#include <grpcpp/grpcpp.h>

#include <fstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "base/listening_sockets.h"
#include "proto/inference.grpc.pb.h"
#include "server/control_groups.h"
#include "server/http/testing/http_get.h"
#include "server/processors.h"
#include "server/testing/server_fixture.h"
#include "server/testing/sum_network.h"

namespace anybit::server {
namespace {

using grpc::StatusCode;
using inference::GRPCInferenceService;
using inference::ModelInferResponse;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::HttpGet;
using testing::Options;
using testing::Request;
using testing::ServerFixture;
using testing::StartWith;
using testing::SumNetwork;

TEST(ServerStartTest, APortInUseIsAClearError) {
  ServerFixture fixture(Options());
  ServerOptions options = Options();
  options.grpc_address = absl::StrCat("127.0.0.1:", fixture.server().grpc_port());
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
  ServerFixture fixture(options);  // its client comes by IPv4, which [::] takes as well
  EXPECT_TRUE(fixture.Infer(Request()).ok());
  const auto channel =
      grpc::CreateChannel(absl::StrCat("[::1]:", fixture.server().grpc_port()), grpc::InsecureChannelCredentials());
  grpc::ClientContext context;
  inference::ServerLiveResponse response;
  EXPECT_TRUE(GRPCInferenceService::NewStub(channel)->ServerLive(&context, {}, &response).ok());
  EXPECT_EQ(HttpGet(fixture.server().http_port(), "/readyz", "GET", "::1").code, 200);
}

TEST(ServerStartTest, LessMemoryThanTheLargestRequestTakesIsRefused) {
  ServerOptions options = Options();
  options.max_queue_bytes = 100'000;
  const absl::Status status = StartWith(options);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("--max_queue_bytes is 100000, less than the "));
}

TEST(ServerStartTest, WithoutALimitRequestsMayHoldPartOfTheMemoryThatThereIs) {
  ServerFixture fixture(Options());
  EXPECT_GT(fixture.server().facts().request_limit_bytes, 1 << 20);
  EXPECT_LT(fixture.server().facts().request_limit_bytes, UsableMemoryBytes());
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
  ServerFixture fixture(options);
  ModelInferResponse response;
  ASSERT_TRUE(fixture.Infer(Request(), &response).ok());
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

TEST(ServerStartTest, AMeasuredProfileCanBeSavedAndLoaded) {
  ServerOptions options = Options();
  options.profile = "";
  options.save_profile = ::testing::TempDir() + "/saved.json";
  ASSERT_TRUE(StartWith(options).ok());
  options.profile = options.save_profile;
  options.save_profile = "";
  options.max_batch = 2;
  ServerFixture fixture(options);
  EXPECT_EQ(fixture.server().facts().profile.max_batch, 2);
  EXPECT_EQ(fixture.server().facts().profile.points[2].name, "w4a4f");
}

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
    ServerFixture fixture(options, note);
    EXPECT_TRUE(fixture.server().facts().pinning.ok()) << fixture.server().facts().pinning;
    if (!measured) {
      ASSERT_TRUE(fixture.Infer(Request()).ok());
    }
    EXPECT_THAT(ran_on, ElementsAre(here.back()));
    ran_on.clear();
  }
  options.profile = Options().profile;
  options.pin = false;
  ServerFixture fixture(options, note);
  ASSERT_TRUE(fixture.Infer(Request()).ok());
  EXPECT_EQ(ran_on, here);
}

TEST(ServerProcessorsTest, WhereTheSystemRefusesThemTheServerServesAndTellsWhy) {
  ServerOptions options = Options();
  options.processors = {{.number = 60000, .core = 60000}, {.number = 60001, .core = 60001}};
  ServerFixture fixture(options);
  EXPECT_THAT(std::string(fixture.server().facts().pinning.message()), HasSubstr("processors 60000"));
  EXPECT_TRUE(fixture.Infer(Request()).ok());
}

}  // namespace
}  // namespace anybit::server
