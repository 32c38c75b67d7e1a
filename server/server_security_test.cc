// The whole server behind TLS, client certificates and tokens, by gRPC and by HTTP.
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "proto/health.grpc.pb.h"
#include "proto/inference.grpc.pb.h"
#include "server/http/testing/http_get.h"
#include "server/security/testing/certificates.h"
#include "server/testing/server_fixture.h"

namespace anybit::server {
namespace {

namespace asio = boost::asio;
using grpc::StatusCode;
using testing::Authority;
using ::testing::HasSubstr;
using testing::HttpGet;
using testing::HttpReply;
using testing::HttpSend;
using testing::Identity;
using ::testing::Not;
using testing::Options;
using testing::Request;
using testing::ServerFixture;
using testing::WriteFile;
using Stub = inference::GRPCInferenceService::Stub;

constexpr char kToken[] = "0123456789abcdef";
constexpr char kSearchToken[] = "search-0123456789";
constexpr char kAdminToken[] = "admin-0123456789";

std::string Path(const std::string& name) { return ::testing::TempDir() + "/" + std::to_string(getpid()) + name; }
// The folders of tests have longer names than a socket may have.
std::string SocketPath(const std::string& name) { return "/tmp/anybit." + std::to_string(getpid()) + "." + name; }

class ServerSecurityTest : public ::testing::Test {
 protected:
  ServerSecurityTest() : authority_("test authority"), options_(Options("127.0.0.1:0")) {
    options_.security.reload_interval = std::chrono::hours(1);
    options_.tenants = {{.name = "default"}, {.name = "search"}};
  }

  void UseTls() {
    WriteServer(authority_.Issue({}));
    options_.security.tls.certificate = Path("c.pem");
    options_.security.tls.key = Path("k.pem");
  }
  void DemandCertificates() {
    WriteFile(Path("a.pem"), authority_.certificate());
    options_.security.tls.client_authorities = Path("a.pem");
  }
  void DemandTokens() {
    WriteFile(Path("tokens"), absl::StrCat(kToken, "\n", kSearchToken, " tenant=search\n"));
    options_.security.token_file = Path("tokens");
  }
  void WriteServer(const Identity& pair) {
    WriteFile(Path("c.pem"), pair.certificate);
    WriteFile(Path("k.pem"), pair.key);
  }

  ServerFixture& Start() {
    fixture_ = std::make_unique<ServerFixture>(options_);
    return *fixture_;
  }

  std::unique_ptr<Stub> Connect(const std::shared_ptr<grpc::ChannelCredentials>& credentials) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // a handshake of its own
    return inference::GRPCInferenceService::NewStub(
        grpc::CreateCustomChannel(absl::StrCat("localhost:", fixture_->server().grpc_port()), credentials, arguments));
  }
  std::unique_ptr<Stub> ConnectByTls(const Identity& own = {}) {
    return Connect(grpc::SslCredentials(
        {.pem_root_certs = authority_.certificate(), .pem_private_key = own.key, .pem_cert_chain = own.certificate}));
  }

  // By HTTP in TLS: the answer; code 0 where the handshake fails.
  HttpReply HttpsGet(const std::string& path, const Identity& own = {}) {
    asio::io_context io;
    asio::ssl::context context(asio::ssl::context::tls_client);
    context.add_certificate_authority(asio::buffer(authority_.certificate()));
    context.set_verify_mode(asio::ssl::verify_peer);
    if (!own.key.empty()) {
      context.use_certificate_chain(asio::buffer(own.certificate));
      context.use_private_key(asio::buffer(own.key), asio::ssl::context::pem);
    }
    asio::ssl::stream<asio::ip::tcp::socket> stream(io, context);
    boost::system::error_code error;
    stream.next_layer().connect({asio::ip::make_address("127.0.0.1"), Port()}, error);
    stream.handshake(asio::ssl::stream_base::client, error);
    if (error) return {};
    asio::write(stream, asio::buffer(absl::StrCat("GET ", path, " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")),
                error);
    std::string text;
    asio::read(stream, asio::dynamic_buffer(text), error);
    if (text.size() < 12) return {};
    return {.code = std::atoi(text.c_str() + 9), .header = text, .body = text.substr(text.find("\r\n\r\n") + 4)};
  }
  uint16_t Port() { return static_cast<uint16_t>(fixture_->server().http_port()); }

  const Authority authority_;
  ServerOptions options_;
  std::unique_ptr<ServerFixture> fixture_;
};

grpc::Status Infer(Stub& stub, const std::string& token = "", const std::string& tenant = "") {
  grpc::ClientContext context;
  if (!token.empty()) context.AddMetadata("authorization", "Bearer " + token);
  inference::ModelInferRequest request = Request();
  if (!tenant.empty()) (*request.mutable_parameters())["tenant"].set_string_param(tenant);
  inference::ModelInferResponse response;
  return stub.ModelInfer(&context, request, &response);
}

int Served(const Server& server, const std::string& tenant) {
  return testing::Metric(server, "anybit_tenant_requests_total{met=\"true\",tenant=\"" + tenant + "\"}");
}

TEST_F(ServerSecurityTest, BothProtocolsAreServedInTlsAndNotInTheClear) {
  UseTls();
  Start();
  EXPECT_TRUE(Infer(*ConnectByTls()).ok()) << Infer(*ConnectByTls()).error_message();
  EXPECT_EQ(Infer(fixture_->stub()).error_code(), StatusCode::UNAVAILABLE);
  EXPECT_EQ(HttpsGet("/readyz").code, 200);
  EXPECT_EQ(HttpsGet("/v2").code, 200);
  EXPECT_EQ(HttpGet(Port(), "/readyz").code, 0);
}

TEST_F(ServerSecurityTest, ANewCertificateIsShownToNewConnectionsAndOldOnesGoOn) {
  UseTls();
  Start();
  const auto before = ConnectByTls();
  EXPECT_TRUE(Infer(*before).ok());
  const Authority other("other authority");
  WriteServer(other.Issue({}));
  EXPECT_TRUE(fixture_->server().Reload());
  EXPECT_TRUE(Infer(*before).ok());
  EXPECT_EQ(Infer(*ConnectByTls()).error_code(), StatusCode::UNAVAILABLE);
  EXPECT_EQ(HttpsGet("/readyz").code, 0);
  const auto after = Connect(grpc::SslCredentials({.pem_root_certs = other.certificate()}));
  EXPECT_TRUE(Infer(*after).ok());
}

TEST_F(ServerSecurityTest, ABadNewPairLeavesTheOldOneInForce) {
  UseTls();
  Start();
  WriteFile(Path("k.pem"), authority_.Issue({}).key);
  EXPECT_FALSE(fixture_->server().Reload());
  EXPECT_TRUE(Infer(*ConnectByTls()).ok());
  EXPECT_EQ(HttpsGet("/readyz").code, 200);
}

TEST_F(ServerSecurityTest, OnlyClientsWithACertificateOfTheAuthorityAreServed) {
  UseTls();
  DemandCertificates();
  Start();
  const Identity own = authority_.Issue({.name = "search"});
  EXPECT_TRUE(Infer(*ConnectByTls(own)).ok());
  EXPECT_EQ(HttpsGet("/v2", own).code, 200);
  const Identity foreign = Authority("other authority").Issue({.name = "search"});
  const Identity expired = authority_.Issue({.begins = std::chrono::hours(-48), .ends = std::chrono::hours(-24)});
  for (const Identity& wrong : {Identity(), foreign, expired}) {
    EXPECT_EQ(Infer(*ConnectByTls(wrong)).error_code(), StatusCode::UNAVAILABLE);
    EXPECT_EQ(HttpsGet("/v2", wrong).code, 0);
  }
}

TEST_F(ServerSecurityTest, TheCommonNameOfAClientIsItsTenant) {
  UseTls();
  DemandCertificates();
  Start();
  const auto search = ConnectByTls(authority_.Issue({.name = "search"}));
  EXPECT_TRUE(Infer(*search).ok());
  EXPECT_EQ(Served(fixture_->server(), "search"), 1);
  EXPECT_EQ(Infer(*search, "", "default").error_code(), StatusCode::PERMISSION_DENIED);
  const auto unknown = ConnectByTls(authority_.Issue({.name = "somebody"}));
  EXPECT_TRUE(Infer(*unknown).ok());
  EXPECT_EQ(Infer(*unknown, "", "search").error_code(), StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(Served(fixture_->server(), "default"), 1);
}

TEST_F(ServerSecurityTest, EveryMethodAndPathDemandsTheToken) {
  DemandTokens();
  Start();
  for (const std::string wrong : {"", "0123456789abcde", "0123456789abcdef0", "x"}) {
    EXPECT_EQ(Infer(fixture_->stub(), wrong).error_code(), StatusCode::UNAUTHENTICATED) << wrong;
  }
  grpc::ClientContext live_context, health_context, metadata_context;
  inference::ServerLiveResponse live;
  EXPECT_EQ(fixture_->stub().ServerLive(&live_context, {}, &live).error_code(), StatusCode::UNAUTHENTICATED);
  grpc::health::v1::HealthCheckResponse health;
  EXPECT_EQ(grpc::health::v1::Health::NewStub(fixture_->channel())->Check(&health_context, {}, &health).error_code(),
            StatusCode::UNAUTHENTICATED);
  inference::ServerMetadataResponse metadata;
  EXPECT_EQ(fixture_->stub().ServerMetadata(&metadata_context, {}, &metadata).error_code(),
            StatusCode::UNAUTHENTICATED);
  for (const char* path : {"/metrics", "/livez", "/readyz", "/v2", "/v2/health/live", "/v2/models/sums", "/nothing"}) {
    const HttpReply reply = HttpGet(Port(), path);
    EXPECT_EQ(reply.code, 401) << path;
    EXPECT_THAT(reply.header, HasSubstr("WWW-Authenticate: Bearer"));
    EXPECT_THAT(reply.body, Not(HasSubstr(Path(""))));
  }
}

TEST_F(ServerSecurityTest, ThePageThatAsksForTheTokenIsOpen) {
  DemandTokens();
  Start();
  const HttpReply page = HttpGet(Port(), "/");
  EXPECT_EQ(page.code, 200);
  EXPECT_THAT(page.body, HasSubstr("token-form"));
  EXPECT_THAT(page.header, HasSubstr("Content-Security-Policy: default-src 'none'"));
}

TEST_F(ServerSecurityTest, ATokenOpensBothProtocolsForItsTenant) {
  DemandTokens();
  Start();
  EXPECT_TRUE(Infer(fixture_->stub(), kToken).ok());
  EXPECT_TRUE(Infer(fixture_->stub(), kSearchToken).ok());
  EXPECT_EQ(Infer(fixture_->stub(), kToken, "search").error_code(), StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(Served(fixture_->server(), "default"), 1);
  EXPECT_EQ(Served(fixture_->server(), "search"), 1);
  const HttpReply reply = HttpSend(
      Port(),
      absl::StrCat("GET /v2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\nauthorization: bearer ", kToken, "\r\n\r\n"));
  EXPECT_EQ(reply.code, 200);
}

TEST_F(ServerSecurityTest, ReflectionIsNotOfferedWhereTokensAreDemanded) {
  DemandTokens();
  Start();
  grpc::ClientContext context;
  context.AddMetadata("authorization", absl::StrCat("Bearer ", kToken));
  grpc::TemplatedGenericStub<grpc::ByteBuffer, grpc::ByteBuffer> stub(fixture_->channel());
  absl::Notification ended;
  grpc::Status status;
  const grpc::Slice nothing;
  const grpc::ByteBuffer request(&nothing, 1);
  grpc::ByteBuffer response;
  stub.UnaryCall(&context, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", {}, &request, &response,
                 [&](grpc::Status ends) {
                   status = std::move(ends);
                   ended.Notify();
                 });
  ended.WaitForNotification();
  EXPECT_EQ(status.error_code(), StatusCode::UNIMPLEMENTED);
}

TEST_F(ServerSecurityTest, RefusedCallsAreCounted) {
  DemandTokens();
  Start();
  EXPECT_EQ(Infer(fixture_->stub()).error_code(), StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(testing::RefusedCalls(fixture_->server(), "unauthenticated"), 1);
}

TEST_F(ServerSecurityTest, ATokenThatIsTakenBackEndsAtTheNextCall) {
  DemandTokens();
  Start();
  EXPECT_TRUE(Infer(fixture_->stub(), kSearchToken).ok());
  WriteFile(Path("tokens"), absl::StrCat(kToken, "\n"));
  EXPECT_TRUE(fixture_->server().Reload());
  EXPECT_EQ(Infer(fixture_->stub(), kSearchToken).error_code(), StatusCode::UNAUTHENTICATED);
  EXPECT_TRUE(Infer(fixture_->stub(), kToken).ok());
}

// Unloads, changes a setting of the log by gRPC and by HTTP: what each answers.
struct Changes {
  grpc::Status unload, setting;
  int http_load = 0, http_setting = 0;
};

Changes ChangeAll(ServerFixture& fixture, const std::string& token) {
  Changes changes;
  const std::string bearer = "Bearer " + token;
  grpc::ClientContext setting_context, unload_context;
  setting_context.AddMetadata("authorization", bearer);
  unload_context.AddMetadata("authorization", bearer);
  inference::LogSettingsRequest settings;
  (*settings.mutable_settings())["log_verbose_level"].set_uint32_param(0);
  inference::LogSettingsResponse settings_response;
  changes.setting = fixture.stub().LogSettings(&setting_context, settings, &settings_response);
  const auto post = [&](const std::string& path, const std::string& body) {
    return HttpSend(fixture.server().http_port(),
                    absl::StrCat("POST ", path, " HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: ", bearer,
                                 "\r\nContent-Length: ", body.size(), "\r\n\r\n", body))
        .code;
  };
  changes.http_setting = post("/v2/logging", R"({"log_info":true})");
  changes.http_load = post("/v2/repository/models/sums/unload", "");
  inference::RepositoryModelUnloadRequest unload;
  unload.set_model_name("sums");
  inference::RepositoryModelUnloadResponse unload_response;
  changes.unload = fixture.stub().RepositoryModelUnload(&unload_context, unload, &unload_response);
  return changes;
}

TEST_F(ServerSecurityTest, WhatChangesTheServerTakesATokenWithAdmin) {
  WriteFile(Path("tokens"), absl::StrCat(kToken, "\n", kAdminToken, " admin\n"));
  options_.security.token_file = Path("tokens");
  options_.admin = true;
  options_.health_address = "127.0.0.1:0";
  Start();
  const Changes nobody = ChangeAll(*fixture_, "");
  EXPECT_EQ(nobody.setting.error_code(), StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(nobody.unload.error_code(), StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(nobody.http_setting, 401);
  EXPECT_EQ(nobody.http_load, 401);
  const Changes other = ChangeAll(*fixture_, kToken);
  EXPECT_EQ(other.setting.error_code(), StatusCode::PERMISSION_DENIED);
  EXPECT_THAT(other.setting.error_message(), HasSubstr("without 'admin'"));
  EXPECT_EQ(other.unload.error_code(), StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(other.http_setting, 403);
  EXPECT_EQ(other.http_load, 403);
  EXPECT_TRUE(Infer(fixture_->stub(), kToken).ok());
  const int probes = fixture_->server().health_ports().at(0);
  EXPECT_EQ(HttpGet(probes, "/readyz").code, 200);
  const Changes admin = ChangeAll(*fixture_, kAdminToken);
  EXPECT_TRUE(admin.setting.ok()) << admin.setting.error_message();
  EXPECT_EQ(admin.http_setting, 200);
  EXPECT_EQ(admin.http_load, 200);
  EXPECT_EQ(Infer(fixture_->stub(), kToken).error_code(), StatusCode::NOT_FOUND);
  EXPECT_EQ(HttpGet(probes, "/readyz").code, 503);
}

TEST_F(ServerSecurityTest, ATokenWithAdminOffersNothingThatTheServerDoesNot) {
  WriteFile(Path("tokens"), absl::StrCat(kAdminToken, " admin\n"));
  options_.security.token_file = Path("tokens");
  Start();
  const Changes admin = ChangeAll(*fixture_, kAdminToken);
  EXPECT_THAT(admin.setting.error_message(), HasSubstr("--admin"));
  EXPECT_THAT(admin.unload.error_message(), HasSubstr("--admin"));
  EXPECT_EQ(admin.http_setting, 403);
  EXPECT_EQ(admin.http_load, 403);
  EXPECT_TRUE(Infer(fixture_->stub(), kAdminToken).ok());
}

TEST_F(ServerSecurityTest, ProbesOfTheirOwnAddressNeedNeitherTlsNorTokens) {
  UseTls();
  DemandCertificates();
  DemandTokens();
  options_.health_address = "127.0.0.1:0";
  Start();
  const int port = fixture_->server().health_ports().at(0);
  EXPECT_EQ(HttpGet(port, "/livez").code, 200);
  EXPECT_EQ(HttpGet(port, "/readyz").code, 200);
  for (const char* path : {"/metrics", "/v2", "/v2/models/sums"}) EXPECT_EQ(HttpGet(port, path).code, 404);
  const auto channel = grpc::CreateChannel(absl::StrCat("127.0.0.1:", port), grpc::InsecureChannelCredentials());
  const auto health = [&] {
    grpc::ClientContext context;
    grpc::health::v1::HealthCheckResponse response;
    const grpc::Status status = grpc::health::v1::Health::NewStub(channel)->Check(&context, {}, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.status();
  };
  EXPECT_EQ(health(), grpc::health::v1::HealthCheckResponse::SERVING);
  EXPECT_EQ(Infer(*inference::GRPCInferenceService::NewStub(channel)).error_code(), StatusCode::UNIMPLEMENTED);
  fixture_->server().StopBeingReady();
  EXPECT_EQ(health(), grpc::health::v1::HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(HttpGet(port, "/readyz").code, 503);
  EXPECT_EQ(HttpGet(port, "/livez").code, 200);
}

TEST_F(ServerSecurityTest, AWrongFileIsRefusedBeforeAnythingListens) {
  UseTls();
  WriteFile(Path("k.pem"), authority_.Issue({}).key);
  const absl::Status status = testing::StartWith(options_);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("is not the key of the certificate in"));
}

TEST_F(ServerSecurityTest, UnixSocketsServeBothProtocols) {
  for (const int processors : {1, 2}) {  // with the front and without
    options_.processors.assign(static_cast<size_t>(processors), {});
    options_.grpc_address = "127.0.0.1:0,unix:" + SocketPath("grpc.sock");
    options_.http_address = "unix:" + SocketPath("http.sock") + ",127.0.0.1:0";
    options_.unix_socket_mode = 0600;
    Start();
    const auto stub = inference::GRPCInferenceService::NewStub(
        grpc::CreateChannel("unix:" + SocketPath("grpc.sock"), grpc::InsecureChannelCredentials()));
    EXPECT_TRUE(Infer(*stub).ok()) << Infer(*stub).error_message();
    EXPECT_TRUE(Infer(fixture_->stub()).ok());
    asio::io_context io;
    asio::local::stream_protocol::socket http(io);
    http.connect(SocketPath("http.sock"));
    asio::write(http, asio::buffer(std::string("GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")));
    std::string text;
    boost::system::error_code end;
    asio::read(http, asio::dynamic_buffer(text), end);
    EXPECT_THAT(text, HasSubstr("200 OK"));
    EXPECT_EQ(HttpGet(Port(), "/readyz").code, 200);
    for (const char* name : {"grpc.sock", "http.sock"}) {
      struct stat facts {};
      ASSERT_EQ(stat(SocketPath(name).c_str(), &facts), 0) << name;
      EXPECT_EQ(facts.st_mode & 0777, 0600u) << name;
    }
    fixture_.reset();
    for (const char* name : {"grpc.sock", "http.sock"}) EXPECT_NE(access(SocketPath(name).c_str(), F_OK), 0) << name;
  }
}

}  // namespace
}  // namespace anybit::server
