#include "client/connection.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <functional>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "client/inference_client.h"
#include "client/testing_server.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace anybit::client {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// A port of this machine that nobody else can get: bound, and listened on only where `serve` is given, which then gets
// each connection.
class LocalPort {
 public:
  explicit LocalPort(std::function<void(int connection)> serve = nullptr) : socket_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in name = {.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(name);
    EXPECT_EQ(bind(socket_, reinterpret_cast<sockaddr*>(&name), size), 0);
    EXPECT_EQ(getsockname(socket_, reinterpret_cast<sockaddr*>(&name), &size), 0);
    address_ = absl::StrCat("127.0.0.1:", ntohs(name.sin_port));
    if (serve == nullptr) return;
    EXPECT_EQ(listen(socket_, 16), 0);
    thread_ = std::thread([this, serve] {
      for (int connection; (connection = accept(socket_, nullptr, nullptr)) >= 0; close(connection)) {
        connection_ = connection;
        serve(connection);
      }
    });
  }
  ~LocalPort() {
    shutdown(socket_, SHUT_RDWR);
    shutdown(connection_, SHUT_RDWR);  // gRPC keeps it for 20 s
    if (thread_.joinable()) thread_.join();
    close(socket_);
  }
  LocalPort(const LocalPort&) = delete;
  LocalPort& operator=(const LocalPort&) = delete;

  const std::string& address() const { return address_; }

 private:
  const int socket_;
  std::string address_;
  std::atomic<int> connection_ = -1;  // the last; set by thread_, read at the end
  std::thread thread_;
};

ServerAddress Parsed(const std::string& text) {
  const absl::StatusOr<ServerAddress> address = ParseServerAddress(text);
  EXPECT_TRUE(address.ok()) << address.status();
  return address.value_or(ServerAddress());
}

TEST(ParseServerAddress, TakesNamesNumbersAndGrpcsOwnForms) {
  EXPECT_EQ(Parsed("gpu-7.example:8001").host, "gpu-7.example");
  EXPECT_EQ(Parsed("gpu-7.example:8001").port, "8001");
  EXPECT_EQ(Parsed("[2001:db8::1]:8001").host, "2001:db8::1");
  EXPECT_EQ(Parsed("dns:///gpu-7.example:8001").host, "gpu-7.example");
  EXPECT_EQ(Parsed("ipv6:[::1]:8001").host, "::1");
  EXPECT_EQ(Parsed("unix:/run/anybit.sock").host, "");
}

TEST(ParseServerAddress, KnowsThisMachine) {
  char own[256] = {};
  ASSERT_EQ(gethostname(own, sizeof own - 1), 0);
  for (const std::string host : {"127.0.0.1", "127.8.9.10", "localhost", "LocalHost", "api.localhost", "[::1]",
                                 "[::ffff:127.0.0.1]", "0.0.0.0", "[::]", static_cast<const char*>(own)}) {
    EXPECT_TRUE(Parsed(host + ":8001").on_this_machine) << host;
  }
  EXPECT_TRUE(Parsed("unix:/run/anybit.sock").on_this_machine);
  for (const std::string host : {"128.0.0.1", "localhost.example", "notlocalhost", "[::2]", "127.example"}) {
    EXPECT_FALSE(Parsed(host + ":8001").on_this_machine) << host;
  }
}

TEST(ParseServerAddress, SaysWhatIsMissing) {
  const auto refusal = [](const std::string& text) {
    const absl::Status status = ParseServerAddress(text).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    return std::string(status.message());
  };
  EXPECT_EQ(refusal("127.0.0.1"),
            "server address '127.0.0.1' has no port; write HOST:PORT, such as 127.0.0.1:8001 or [::1]:8001");
  EXPECT_THAT(refusal("[::1]"), HasSubstr("has no port"));
  EXPECT_THAT(refusal(""), HasSubstr("has no port"));
  EXPECT_THAT(refusal("dns:"), HasSubstr("has no port"));
  EXPECT_THAT(refusal("dns://x"), HasSubstr("has no port"));
  EXPECT_THAT(refusal(":8001"), HasSubstr("has no host"));
  EXPECT_THAT(refusal("::1:8001"), HasSubstr("is IPv6 without brackets"));
  EXPECT_THAT(refusal("http://127.0.0.1:8001"), HasSubstr("is a URL"));
  EXPECT_THAT(refusal("127.0.0.1:"), HasSubstr("has port '', not 1 to 65535"));
  EXPECT_THAT(refusal("127.0.0.1:0"), HasSubstr("has port '0', not 1 to 65535"));
  EXPECT_THAT(refusal("127.0.0.1:65536"), HasSubstr("has port '65536', not 1 to 65535"));
  EXPECT_THAT(refusal("127.0.0.1:http"), HasSubstr("has port 'http', not 1 to 65535"));
}

// An error has to come long before this, which no test lasts: that nobody answers is known at once.
constexpr std::chrono::minutes kNever(60);

absl::Status FailureOf(const std::string& address, std::chrono::milliseconds timeout = kNever) {
  const absl::Status status = InferenceClient::Connect(address, {.connect_timeout = timeout}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  return status;
}

TEST(Connect, SaysAtOnceThatTheConnectionWasRefused) {
  const LocalPort port;
  EXPECT_EQ(FailureOf(port.address()).message(),
            "connection to " + port.address() + " refused: no server listens there");
}

TEST(Connect, SaysAtOnceThatTheHostIsUnknown) {
  EXPECT_THAT(FailureOf("no-such-host.invalid:8001").message(),
              HasSubstr("unknown host 'no-such-host.invalid' in no-such-host.invalid:8001"));
}

TEST(Connect, SaysAtOnceThatAPortSpeaksHttp) {
  const LocalPort port([](int connection) {
    char request[4096];
    const std::string answer = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
    EXPECT_GT(read(connection, request, sizeof request), 0);
    EXPECT_GT(write(connection, answer.data(), answer.size()), 0);
  });
  EXPECT_THAT(FailureOf(port.address()).message(),
              HasSubstr(port.address() + " does not speak gRPC; perhaps it is the server's HTTP port"));
}

TEST(Connect, SaysAtOnceThatAPortClosesTheConnection) {
  // Everything is read first, because the kernel resets a connection that is closed with unread bytes.
  const LocalPort port([](int connection) {
    shutdown(connection, SHUT_WR);
    char request[4096];
    while (read(connection, request, sizeof request) > 0) continue;
  });
  EXPECT_THAT(FailureOf(port.address()).message(), HasSubstr(port.address() + " closed the connection"));
}

TEST(Connect, SaysThatAPortDidNotAnswerInTime) {
  const LocalPort port([](int connection) {
    char request[4096];
    while (read(connection, request, sizeof request) > 0) continue;
  });
  EXPECT_THAT(FailureOf(port.address(), std::chrono::milliseconds(50)).message(),
              HasSubstr(port.address() + " did not answer within 50 ms"));
}

// With a proxy in the environment that nobody runs.
class ProxyTest : public ::testing::Test {
 protected:
  ProxyTest() { setenv("http_proxy", ("http://" + proxy_.address()).c_str(), 1); }
  ~ProxyTest() override { unsetenv("http_proxy"); }

  const LocalPort proxy_;
};

TEST_F(ProxyTest, IsNotAskedForAServerOnThisMachine) {
  TestingServer server;
  const std::string port = server.address().substr(server.address().find(':'));
  for (const std::string host : {"127.0.0.1", "localhost", "ipv4:127.0.0.1", "dns:///localhost"}) {
    const auto client = InferenceClient::Connect(host + port, {.connect_timeout = kNever});
    EXPECT_TRUE(client.ok()) << client.status();
  }
}

TEST_F(ProxyTest, IsNamedWhereItDoesNotAnswer) {
  // A documentation address (RFC 5737), and a name that only a proxy could know.
  for (const std::string host : {"192.0.2.1", "no-such-host.invalid"}) {
    EXPECT_THAT(FailureOf(host + ":8001").message(),
                AllOf(HasSubstr("cannot reach " + host + ":8001 through the proxy " + proxy_.address()),
                      HasSubstr("http_proxy"), HasSubstr("Connection refused"), HasSubstr("no_proxy=" + host)));
  }
}

TEST(ExplainFirstCall, LeavesTheServersOwnWords) {
  const ServerAddress address = Parsed("127.0.0.1:8001");
  const auto explained = [&](grpc::StatusCode code, const std::string& message) {
    return ExplainFirstCall(address, {code, message}, std::chrono::milliseconds(5));
  };
  EXPECT_EQ(explained(grpc::StatusCode::UNAVAILABLE, "the server is draining"),
            absl::UnavailableError("the server is draining"));
  EXPECT_EQ(explained(grpc::StatusCode::NOT_FOUND, "no model 'x'"), absl::NotFoundError("no model 'x'"));
  EXPECT_TRUE(ExplainFirstCall(address, grpc::Status::OK, std::chrono::milliseconds(5)).ok());
}

TEST(ExplainFirstCall, KeepsAReasonItDoesNotKnow) {
  EXPECT_EQ(ExplainFirstCall(Parsed("[::1]:8001"),
                             {grpc::StatusCode::UNAVAILABLE,
                              "failed to connect to all addresses; last error: UNKNOWN: ipv6:%5B::1%5D:8001: No route"},
                             std::chrono::milliseconds(5))
                .message(),
            "cannot reach [::1]:8001: No route");
  EXPECT_THAT(ExplainFirstCall(Parsed("127.0.0.1:8001"), {grpc::StatusCode::UNIMPLEMENTED, "status: 404"},
                               std::chrono::milliseconds(5))
                  .message(),
              HasSubstr("127.0.0.1:8001 does not offer the Open Inference Protocol: status: 404"));
}

}  // namespace
}  // namespace anybit::client
