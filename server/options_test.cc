#include "server/options.h"

#include <chrono>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace anybit::server {
namespace {

using ::testing::HasSubstr;

ServerOptions Valid() { return {.artifact = "some.safetensors"}; }

void ExpectRefused(const ServerOptions& options, const std::string& part_of_message) {
  const absl::Status status = ValidateOptions(options);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << part_of_message;
  EXPECT_THAT(std::string(status.message()), HasSubstr(part_of_message));
}

TEST(OptionsTest, TheDefaultsNeedOnlyAnArtifact) {
  EXPECT_TRUE(ValidateOptions(Valid()).ok());
  ExpectRefused({}, "--artifact");
}

TEST(OptionsTest, ARefusalNamesFlagValueAndLimit) {
  ServerOptions options = Valid();
  options.slots = 0;
  ExpectRefused(options, "--slots is 0, not from 1 to 256");
  options = Valid();
  options.threads_per_slot = 65;
  ExpectRefused(options, "--threads_per_slot is 65, not from 1 to 64");
  options = Valid();
  options.panel_memory = -1;
  ExpectRefused(options, "--panel_memory is -1, not from 0 to 1048576");
  options = Valid();
  options.model_name = "a/b";
  ExpectRefused(options, "--model_name is 'a/b', not 1 to 128 characters of [A-Za-z0-9_.-]");
  options.model_name = std::string(129, 'a');
  ExpectRefused(options, "--model_name is 'aaaa");
  options = Valid();
  options.model_version = -1;
  ExpectRefused(options, "--model_version is -1, not a number above 0");
  options = Valid();
  options.device = "gpu";
  ExpectRefused(options, "--device is 'gpu', expected auto, cpu or cuda:N");
  options = Valid();
  options.device_memory = -1;
  ExpectRefused(options, "--device_memory is -1, not from 0 to 1048576");
  options = Valid();
  options.max_batch = 5000;
  ExpectRefused(options, "--max_batch is 5000, not from 1 to 4096");
  options = Valid();
  options.max_queue = -1;
  ExpectRefused(options, "--max_queue is -1");
  options = Valid();
  options.drain_delay = std::chrono::seconds(-1);
  ExpectRefused(options, "--drain_delay is -1 s");
  options = Valid();
  options.drain_timeout = Duration::max();
  ExpectRefused(options, "--drain_timeout");
  options = Valid();
  options.grpc_address = "localhost";
  ExpectRefused(options, "--grpc_address is 'localhost'");
  options = Valid();
  options.http_address = "127.0.0.1:65536";
  ExpectRefused(options, "--http_address is '127.0.0.1:65536'");
}

TEST(OptionsTest, LimitsOfMemoryAndConnectionsAreNamedAlike) {
  ServerOptions options = Valid();
  options.max_queue_bytes = -1;
  ExpectRefused(options, "--max_queue_bytes is -1");
  options = Valid();
  options.connections.max_age = std::chrono::seconds(-1);
  ExpectRefused(options, "--max_connection_age is -1 s");
  options = Valid();
  options.connections.read_timeout = Duration::zero();
  ExpectRefused(options, "--read_timeout is 0 s, not above 0");
  options = Valid();
  options.connections.max_streams = -1;
  ExpectRefused(options, "--max_streams is -1");
}

TEST(OptionsTest, AddressesOfIpv6StandInBrackets) {
  ServerOptions options = Valid();
  options.grpc_address = "[::]:8001";
  options.http_address = "[::1]:0";
  EXPECT_TRUE(ValidateOptions(options).ok());
  options.http_address = "::1:8000";
  ExpectRefused(options, "--http_address is '::1:8000'");
}

TEST(OptionsTest, MoreThreadsThanTheQuotaAllowsAreRefused) {
  ServerOptions options = Valid();
  options.processors = {{.number = 0}, {.number = 1}, {.number = 2}, {.number = 3}};
  options.processor_quota = 1.5;
  options.slots = 2;
  EXPECT_TRUE(ValidateOptions(options).ok()) << ValidateOptions(options);
  options.slots = 3;
  ExpectRefused(options, "is 3 threads, more than the quota of 1.5 processors");
}

TEST(OptionsTest, MoreThreadsThanProcessorsAreRefused) {
  ServerOptions options = Valid();
  options.processors = {{.number = 2}, {.number = 3}, {.number = 7}, {.number = 9}};
  options.slots = 2;
  options.threads_per_slot = 2;
  EXPECT_TRUE(ValidateOptions(options).ok());
  options.slots = 3;
  ExpectRefused(options, "--slots 3 times --threads_per_slot 2 is 6 threads, more than the 4 processors that this");
  options.processors.resize(1);
  options.slots = 1;
  ExpectRefused(options, "--slots 1 times --threads_per_slot 2 is 2 threads, more than the 1 processor that this");
}

TEST(OptionsTest, WhereTheProcessorsAreNotKnownAnyNumberOfThreadsIsAllowed) {
  ServerOptions options = Valid();
  options.slots = 200;
  options.threads_per_slot = 64;
  EXPECT_TRUE(ValidateOptions(options).ok());
}

TEST(OptionsTest, NoHttpAddressIsAllowed) {
  ServerOptions options = Valid();
  options.http_address = "";
  EXPECT_TRUE(ValidateOptions(options).ok());
}

TEST(SlaClassesTest, AClassHasNameObjectiveFloorAndWeight) {
  const auto classes = ParseSlaClasses("interactive:20ms:8500:2.5,batch:1.5s");
  ASSERT_TRUE(classes.ok()) << classes.status();
  ASSERT_EQ(classes->size(), 3u);
  EXPECT_EQ((*classes)[1].name, "interactive");
  EXPECT_EQ((*classes)[1].objective, std::chrono::milliseconds(20));
  EXPECT_EQ((*classes)[1].accuracy_floor_bp, 8500);
  EXPECT_EQ((*classes)[1].weight, 2.5);
  EXPECT_EQ((*classes)[2].name, "batch");
  EXPECT_EQ((*classes)[2].objective, std::chrono::milliseconds(1500));
  EXPECT_EQ((*classes)[2].accuracy_floor_bp, 0);
  EXPECT_EQ((*classes)[2].weight, 1);
}

TEST(SlaClassesTest, ThereIsAlwaysADefaultClassAndItComesFirst) {
  auto classes = ParseSlaClasses("");
  ASSERT_TRUE(classes.ok());
  ASSERT_EQ(classes->size(), 1u);
  EXPECT_EQ((*classes)[0].name, "default");
  EXPECT_EQ((*classes)[0].objective, Duration::zero());

  classes = ParseSlaClasses("interactive:20ms,default:1s:8000");
  ASSERT_TRUE(classes.ok());
  ASSERT_EQ(classes->size(), 2u);
  EXPECT_EQ((*classes)[0].name, "default");
  EXPECT_EQ((*classes)[0].objective, std::chrono::seconds(1));
  EXPECT_EQ((*classes)[0].accuracy_floor_bp, 8000);
}

TEST(SlaClassesTest, AnythingElseIsRefusedWithTheClassInTheMessage) {
  for (const char* text : {"interactive", "interactive:", ":20ms", "Interactive:20ms", "a b:20ms", "a:20", "a:-1ms",
                           "a:inf", "a:25h", "a:1ms:", "a:1ms:-1", "a:1ms:10001", "a:1ms:0.5", "a:1ms:0:0",
                           "a:1ms:0:-1", "a:1ms:0:nan", "a:1ms:0:inf", "a:1ms:0:1e7", "a:1ms:0:1:2"}) {
    const auto classes = ParseSlaClasses(text);
    EXPECT_EQ(classes.status().code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(classes.status().message()), HasSubstr(text));
  }
  EXPECT_FALSE(ParseSlaClasses("a:1ms,a:2ms").ok());
  EXPECT_FALSE(ParseSlaClasses("default:1ms,default:2ms").ok());
}

TEST(TenantsTest, ATenantHasNameShareAndFloor) {
  const auto tenants = ParseTenants("search:3:8500,ads:0.5,x_1-y");
  ASSERT_TRUE(tenants.ok()) << tenants.status();
  ASSERT_EQ(tenants->size(), 4u);
  EXPECT_EQ((*tenants)[1].name, "search");
  EXPECT_EQ((*tenants)[1].share, 3);
  EXPECT_EQ((*tenants)[1].accuracy_floor_bp, 8500);
  EXPECT_EQ((*tenants)[2].name, "ads");
  EXPECT_EQ((*tenants)[2].share, 0.5);
  EXPECT_EQ((*tenants)[2].accuracy_floor_bp, 0);
  EXPECT_EQ((*tenants)[3].name, "x_1-y");
  EXPECT_EQ((*tenants)[3].share, 1);
}

TEST(TenantsTest, ThereIsAlwaysADefaultTenantAndItComesFirst) {
  auto tenants = ParseTenants("");
  ASSERT_TRUE(tenants.ok());
  ASSERT_EQ(tenants->size(), 1u);
  EXPECT_EQ((*tenants)[0].name, "default");
  EXPECT_EQ((*tenants)[0].share, 1);
  EXPECT_EQ((*tenants)[0].accuracy_floor_bp, 0);

  tenants = ParseTenants("search:3,default:2:8000");
  ASSERT_TRUE(tenants.ok());
  ASSERT_EQ(tenants->size(), 2u);
  EXPECT_EQ((*tenants)[0].name, "default");
  EXPECT_EQ((*tenants)[0].share, 2);
  EXPECT_EQ((*tenants)[0].accuracy_floor_bp, 8000);
}

TEST(TenantsTest, AnythingElseIsRefusedWithTheTenantInTheMessage) {
  for (const char* text : {":1", "Search", "a b", "a:", "a:0", "a:-1", "a:nan", "a:inf", "a:1e-300", "a:1e7",
                           "a:1:", "a:1:-1", "a:1:10001", "a:1:0.5", "a:1:0:1"}) {
    const auto tenants = ParseTenants(text);
    EXPECT_EQ(tenants.status().code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(tenants.status().message()), HasSubstr(std::string("--tenants has '") + text + "'"));
  }
  EXPECT_THAT(std::string(ParseTenants("a,b,a:2").status().message()), HasSubstr("--tenants has 'a' twice"));
  EXPECT_FALSE(ParseTenants("default,default:2").ok());
}

TEST(TenantsTest, ThereAreAtMost255WithTheDefaultOne) {
  std::string text = "t0";
  for (int i = 1; i < 254; ++i) text += ",t" + std::to_string(i);
  const auto most = ParseTenants(text);
  ASSERT_TRUE(most.ok()) << most.status();
  EXPECT_EQ(most->size(), 255u);
  const auto beyond = ParseTenants(text + ",one-more");
  EXPECT_EQ(std::string(beyond.status().message()), "--tenants has 256 names with 'default', more than 255");
  EXPECT_TRUE(ParseTenants(text + ",default").ok());
}

TEST(OptionsTest, AddressesAreListsOfHostsAndUnixSockets) {
  ServerOptions options = Valid();
  options.grpc_address = "127.0.0.1:8001,unix:/run/anybit.sock";
  options.health_address = "[::]:8080";
  EXPECT_TRUE(ValidateOptions(options).ok()) << ValidateOptions(options);
  options.http_address = "unix:relative.sock";
  ExpectRefused(options, "--http_address is 'unix:relative.sock'");
  options = Valid();
  options.health_address = "8080";
  ExpectRefused(options, "--health_address is '8080'");
}

TEST(OptionsTest, ACertificateAndItsKeyBelongTogether) {
  ServerOptions options = Valid();
  options.security.tls.certificate = "c.pem";
  ExpectRefused(options, "--tls_key is missing, which --tls_certificate needs");
  options.security.tls = {.certificate = "", .key = "k.pem", .client_authorities = ""};
  ExpectRefused(options, "--tls_certificate is missing, which --tls_key needs");
  options.security.tls = {.certificate = "", .key = "", .client_authorities = "a.pem"};
  ExpectRefused(options, "--tls_certificate is missing, which --tls_client_authorities needs");
}

TEST(OptionsTest, LimitsOfTheEdgeHaveRanges) {
  ServerOptions options = Valid();
  options.security.reload_interval = Duration::zero();
  ExpectRefused(options, "--reload_interval is 0 s, less than 0.01 s");
  options = Valid();
  options.connections.max_metadata_bytes = 100;
  ExpectRefused(options, "--max_metadata_bytes is 100, not from 1024 to 1048576");
  options = Valid();
  options.connections.handshake_timeout = Duration::zero();
  ExpectRefused(options, "--handshake_timeout is 0 s, not above 0");
  options = Valid();
  options.connections.max_http = 0;
  ExpectRefused(options, "--max_http_connections is 0, not from 1 to 100000");
}

}  // namespace
}  // namespace anybit::server
