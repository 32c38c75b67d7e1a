#include "server/http/http_server.h"

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/asio.hpp>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "base/listening_sockets.h"
#include "server/http/testing/http_get.h"

namespace anybit::server {
namespace {

namespace asio = boost::asio;
using ::testing::HasSubstr;
using testing::HttpGet;
using testing::HttpReply;
using testing::HttpSend;

// A client that keeps its connection.
class Client {
 public:
  explicit Client(int port) { socket_.connect({asio::ip::make_address("127.0.0.1"), static_cast<uint16_t>(port)}); }

  // Sends `bytes`; the server may have closed the connection.
  void Send(const std::string& bytes) {
    boost::system::error_code ignored;
    asio::write(socket_, asio::buffer(bytes), ignored);
  }

  // The next answer; code 0 once the server has closed the connection.
  HttpReply Receive() {
    boost::system::error_code error;
    const size_t header = asio::read_until(socket_, asio::dynamic_buffer(received_), "\r\n\r\n", error);
    if (error) return {};
    HttpReply reply{.code = std::atoi(received_.c_str() + received_.find(' ') + 1),
                    .header = received_.substr(0, header)};
    received_.erase(0, header);
    const size_t at = reply.header.find("Content-Length: ");
    const size_t length = at == std::string::npos ? 0 : std::strtoul(reply.header.c_str() + at + 16, nullptr, 10);
    if (received_.size() < length) {
      asio::read(socket_, asio::dynamic_buffer(received_), asio::transfer_exactly(length - received_.size()), error);
    }
    reply.body = received_.substr(0, length);
    received_.erase(0, length);
    return reply;
  }

  bool IsClosed() { return Receive().code == 0; }
  void Close() { socket_.close(); }

 private:
  asio::io_context context_;
  asio::ip::tcp::socket socket_{context_};
  std::string received_;
};

std::string Post(const std::string& path, const std::string& body, const std::string& fields = "") {
  return absl::StrCat("POST ", path, " HTTP/1.1\r\nHost: x\r\nContent-Length: ", body.size(), "\r\n", fields, "\r\n",
                      body);
}

constexpr char kGetHello[] = "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n";

// Nothing here ends by a time-out: it is longer than any test runs.
constexpr HttpLimits kPatient = {
    .idle = std::chrono::hours(1), .body = std::chrono::hours(1), .keep_alive = std::chrono::hours(1)};

// /hello is answered at once; /echo with its body, in the background; /big with 20 MB. /held is given to `held_`.
class HttpServerTest : public ::testing::Test {
 protected:
  HttpServerTest() { Start(kPatient); }

  void Start(HttpLimits limits) {
    server_.reset();
    auto server = HttpServer::Start(
        "127.0.0.1:0", [this](const HttpHead& head) { return Route(head); }, limits);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  HttpAction Route(const HttpHead& head) {
    if (head.path == "/hello") return HttpAnswer{.body = "hello\n"};
    if (head.path == "/big") return HttpAnswer{.body = std::string(20'000'000, 'x')};
    if (head.path == "/fields")
      return HttpAnswer{.fields = {{"Retry-After", "3"}}, .body = std::string(head.Field("x-y"))};
    if (head.path == "/echo") {
      return HttpRoute{.max_body_bytes = 100'000, .handle = [](std::shared_ptr<HttpCall> call) {
                         call->Answer({.status = 201, .content_type = "a/b", .body = std::move(call->body())});
                       }};
    }
    if (head.path == "/size") {
      return HttpRoute{.max_body_bytes = 3 << 20, .handle = [](std::shared_ptr<HttpCall> call) {
                         call->Answer({.body = absl::StrCat(call->body().size())});
                       }};
    }
    if (head.path == "/held") {
      return HttpRoute{.max_body_bytes = 10, .in_background = false, .handle = [this](std::shared_ptr<HttpCall> call) {
                         call->WhenGone([this] { gone_.Notify(); });
                         held_ = std::move(call);
                         is_held_.Notify();
                       }};
    }
    return HttpAnswer{.status = 404, .body = head.path};
  }

  int port() const { return server_->port(); }

  std::shared_ptr<HttpCall> held_;  // once is_held_
  absl::Notification is_held_, gone_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpServerTest, PortZeroPicksAPortAndTellsIt) { EXPECT_GT(port(), 0); }

TEST_F(HttpServerTest, ARequestWithoutABodyIsAnswered) {
  const HttpReply reply = HttpGet(port(), "/hello");
  EXPECT_EQ(reply.code, 200);
  EXPECT_THAT(reply.header, HasSubstr("Content-Type: text/plain"));
  EXPECT_EQ(reply.body, "hello\n");
}

TEST_F(HttpServerTest, ABodyIsReadAndAnswered) {
  const HttpReply reply = HttpSend(port(), Post("/echo", "a body", "Connection: close\r\n"));
  EXPECT_EQ(reply.code, 201);
  EXPECT_THAT(reply.header, HasSubstr("Content-Type: a/b"));
  EXPECT_EQ(reply.body, "a body");
}

TEST_F(HttpServerTest, ABodyInChunksIsReadAndAnswered) {
  const HttpReply reply = HttpSend(port(),
                                   "POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                                   "Transfer-Encoding: chunked\r\n\r\n3\r\na b\r\n3\r\nody\r\n0\r\n\r\n");
  EXPECT_EQ(reply.body, "a body");
}

TEST_F(HttpServerTest, AClientThatAsksFirstIsToldToSendItsBody) {
  Client client(port());
  client.Send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.Receive().code, 100);
  client.Send("ab");
  EXPECT_EQ(client.Receive().body, "ab");
}

TEST_F(HttpServerTest, FieldsAreFoundInAnyCase) {
  const HttpReply reply = HttpSend(port(), "GET /fields HTTP/1.1\r\nHost: x\r\nX-Y: z\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(reply.body, "z");
  EXPECT_THAT(reply.header, HasSubstr("Retry-After: 3"));
}

TEST_F(HttpServerTest, AQueryIsNoPartOfThePath) { EXPECT_EQ(HttpGet(port(), "/hello?verbose=1").code, 200); }

TEST_F(HttpServerTest, HeadHasTheHeaderAndNoBody) {
  const HttpReply reply = HttpGet(port(), "/hello", "HEAD");
  EXPECT_EQ(reply.code, 200);
  EXPECT_THAT(reply.header, HasSubstr("Content-Length: 6"));
  EXPECT_EQ(reply.body, "");
}

// ---- Connections

TEST_F(HttpServerTest, AConnectionServesOneRequestAfterTheOther) {
  Client client(port());
  client.Send(kGetHello);
  EXPECT_EQ(client.Receive().body, "hello\n");
  client.Send(Post("/echo", "one"));
  EXPECT_EQ(client.Receive().body, "one");
  client.Send(Post("/nowhere", ""));
  EXPECT_EQ(client.Receive().code, 404);
  client.Send(Post("/echo", "two"));
  EXPECT_EQ(client.Receive().body, "two");
}

TEST_F(HttpServerTest, RequestsSentAheadAreAnsweredInTheirOrder) {
  Client client(port());
  client.Send(absl::StrCat(Post("/echo", "one"), kGetHello, Post("/echo", "three")));
  EXPECT_EQ(client.Receive().body, "one");
  EXPECT_EQ(client.Receive().body, "hello\n");
  EXPECT_EQ(client.Receive().body, "three");
}

TEST_F(HttpServerTest, AClientOfHttp10IsAnsweredOnce) {
  Client client(port());
  client.Send("GET /hello HTTP/1.0\r\n\r\n");
  EXPECT_EQ(client.Receive().body, "hello\n");
  EXPECT_TRUE(client.IsClosed());
}

TEST_F(HttpServerTest, AServerThatStopsEndsConnectionsWithTheirNextAnswer) {
  Client client(port());
  client.Send(kGetHello);
  client.Receive();
  server_->StopKeepingAlive();
  client.Send(kGetHello);
  const HttpReply last = client.Receive();
  EXPECT_EQ(last.body, "hello\n");
  EXPECT_THAT(last.header, HasSubstr("Connection: close"));
  EXPECT_TRUE(client.IsClosed());
}

TEST_F(HttpServerTest, ProbesAreAnsweredBesideIdleConnectionsAndHalfRequests) {
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 50; ++i) {
    for (const char* bytes : {"", "GET /hello HTT", "POST /echo HTTP/1.1\r\nContent-Length: 1000\r\n\r\nab"}) {
      clients.push_back(std::make_unique<Client>(port()));
      clients.back()->Send(bytes);
    }
  }
  EXPECT_EQ(HttpGet(port(), "/hello").code, 200);
}

TEST_F(HttpServerTest, ProbesAreAnsweredBesideReadersThatDoNotRead) {
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 5; ++i) {
    clients.push_back(std::make_unique<Client>(port()));
    clients.back()->Send("GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
  }
  EXPECT_EQ(HttpGet(port(), "/hello").code, 200);
  EXPECT_EQ(HttpGet(port(), "/big").body.size(), 20'000'000u);
}

TEST_F(HttpServerTest, ProbesAreAnsweredWhileTheBackgroundIsBusy) {
  absl::Notification go_on;
  std::atomic<int> started = 0;
  auto server = HttpServer::Start(
      "127.0.0.1:0",
      [&](const HttpHead& head) -> HttpAction {
        if (head.path == "/hello") return HttpAnswer();
        return HttpRoute{.handle = [&](std::shared_ptr<HttpCall> call) {
          ++started;
          go_on.WaitForNotification();
          call->Answer({});
        }};
      },
      kPatient);
  ASSERT_TRUE(server.ok());
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 5; ++i) {
    clients.push_back(std::make_unique<Client>((*server)->port()));
    clients.back()->Send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
  }
  while (started == 0) std::this_thread::yield();
  EXPECT_EQ(HttpGet((*server)->port(), "/hello").code, 200);
  go_on.Notify();
  for (auto& client : clients) EXPECT_EQ(client->Receive().code, 200);
}

TEST_F(HttpServerTest, TheIdleConnectionThatCameFirstMakesRoom) {
  Start({.connections = 10, .idle = std::chrono::hours(1), .body = std::chrono::hours(1)});
  Client at_work(port());
  at_work.Send(Post("/held", ""));
  is_held_.WaitForNotification();
  Client oldest(port());
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 30; ++i) clients.push_back(std::make_unique<Client>(port()));
  EXPECT_EQ(HttpGet(port(), "/hello").code, 200);
  EXPECT_TRUE(oldest.IsClosed());
  held_->Answer({.body = "late"});
  EXPECT_EQ(at_work.Receive().body, "late");
}

TEST_F(HttpServerTest, AConnectionThatSendsNothingIsClosedWhenItsTimeIsOver) {
  Start({.idle = std::chrono::milliseconds(1)});
  EXPECT_TRUE(Client(port()).IsClosed());
}

TEST_F(HttpServerTest, ABodyThatDoesNotComeEndsTheConnectionWhenItsTimeIsOver) {
  Start({.idle = std::chrono::hours(1), .body = std::chrono::milliseconds(1)});
  Client client(port());
  client.Send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab");
  EXPECT_TRUE(client.IsClosed());
}

TEST_F(HttpServerTest, StoppingDoesNotWaitForConnections) {
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 10; ++i) {
    clients.push_back(std::make_unique<Client>(port()));
    clients.back()->Send(i % 2 == 0 ? "GET " : "POST /held HTTP/1.1\r\nContent-Length: 5\r\n\r\nab");
  }
  server_.reset();
}

// ---- Limits

TEST_F(HttpServerTest, ABodyAboveItsLimitIsRefusedBeforeItIsRead) {
  const HttpReply reply = HttpSend(port(), "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100001\r\n\r\n");
  EXPECT_EQ(reply.code, 413);
  EXPECT_EQ(reply.body, "the body is larger than the 100000 bytes that this request may have\n");
  EXPECT_EQ(HttpSend(port(), Post("/held", "eleven byte")).code, 413);
}

TEST_F(HttpServerTest, OnlyTheRouteLimitsTheBody) {
  EXPECT_EQ(HttpSend(port(), Post("/size", std::string(3 << 20, 'x'), "Connection: close\r\n")).body, "3145728");
  EXPECT_EQ(HttpSend(port(), "POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: 3145729\r\n\r\n").code, 413);
}

TEST_F(HttpServerTest, ChunksAboveTheLimitAreRefusedWhenItIsReached) {
  const std::string chunk = absl::StrCat("10000\r\n", std::string(0x10000, 'x'), "\r\n");
  const std::string head = "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(HttpSend(port(), head + chunk + chunk).code, 413);
}

TEST_F(HttpServerTest, AHeaderAboveItsLimitIsRefused) {
  const HttpReply reply = HttpSend(port(), "GET / HTTP/1.1\r\nX: " + std::string(17'000, 'x') + "\r\n\r\n");
  EXPECT_EQ(reply.code, 431);
  EXPECT_EQ(reply.body, "the header is larger than 16384 bytes\n");
}

TEST_F(HttpServerTest, BytesThatAreNoRequestAreRefused) {
  EXPECT_EQ(HttpSend(port(), "\x16\x03\x01 hello\r\n\r\n").code, 400);
  EXPECT_EQ(HttpSend(port(), "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n").code, 400);
}

TEST_F(HttpServerTest, ABodyThatNobodyReadsDoesNotCostTheAnswer) {
  EXPECT_EQ(HttpSend(port(), Post("/hello", std::string(300'000, 'x'))).code, 200);
}

// ---- Answers that come later

TEST_F(HttpServerTest, AnotherThreadMayAnswer) {
  Client client(port());
  client.Send(Post("/held", "body"));
  is_held_.WaitForNotification();
  EXPECT_EQ(held_->body(), "body");
  EXPECT_EQ(held_->head().method, "POST");
  std::thread([&] { held_->Answer({.body = "late"}); }).join();
  EXPECT_EQ(client.Receive().body, "late");
  EXPECT_FALSE(gone_.HasBeenNotified());
}

TEST_F(HttpServerTest, AHandlerLearnsThatItsClientHasGone) {
  auto client = std::make_unique<Client>(port());
  client->Send(Post("/held", ""));
  is_held_.WaitForNotification();
  client.reset();
  gone_.WaitForNotification();
  held_->Answer({});
}

TEST_F(HttpServerTest, AHandlerLearnsThatTheServerEnds) {
  Client client(port());
  client.Send(Post("/held", ""));
  is_held_.WaitForNotification();
  server_.reset();
  EXPECT_TRUE(gone_.HasBeenNotified());
  held_->Answer({.body = "nobody hears this"});
  EXPECT_TRUE(client.IsClosed());
}

TEST_F(HttpServerTest, AHandlerThatAsksWhenItsConnectionHasEndedLearnsItAtOnce) {
  HttpLimits one = kPatient;
  one.connections = 1;
  Start(one);
  Client client(port());
  client.Send(Post("/held", ""));
  is_held_.WaitForNotification();
  EXPECT_EQ(HttpGet(port(), "/hello").code, 200);  // whose connection takes the place of the first
  EXPECT_TRUE(client.IsClosed());
  absl::Notification learnt;
  held_->WhenGone([&] { learnt.Notify(); });
  learnt.WaitForNotification();
}

TEST_F(HttpServerTest, FinishWaitsUntilEachRequestIsAnswered) {
  Client client(port());
  client.Send(Post("/held", ""));
  is_held_.WaitForNotification();
  std::thread answering([&] { held_->Answer({.body = "late"}); });
  server_->Finish(std::chrono::hours(1));
  answering.join();
  server_.reset();
  EXPECT_EQ(client.Receive().body, "late");
}

TEST_F(HttpServerTest, FinishWaitsNoLongerThanItsGrace) {
  Client client(port());
  client.Send(Post("/held", ""));
  is_held_.WaitForNotification();
  server_->Finish(std::chrono::milliseconds(1));
}

// ---- Addresses

TEST(HttpAddressTest, APortInUseIsAClearError) {
  const auto first = HttpServer::Start("127.0.0.1:0", [](const HttpHead&) { return HttpAnswer(); });
  ASSERT_TRUE(first.ok());
  const std::string address = absl::StrCat("127.0.0.1:", (*first)->port());
  const auto second = HttpServer::Start(address, {});
  ASSERT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(address + " is in use"));
}

TEST(HttpAddressTest, AllAddressesOfIpv6AreServedAndThoseOfIpv4) {
  if (!ListeningSockets::CanOpen("[::1]:0").ok()) GTEST_SKIP() << "this machine has no IPv6";
  const auto server = HttpServer::Start("[::]:0", [](const HttpHead&) { return HttpAnswer(); });
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_EQ(HttpGet((*server)->port(), "/", "GET", "::1").code, 200);
  EXPECT_EQ(HttpGet((*server)->port(), "/", "GET", "127.0.0.1").code, 200);
}

TEST(HttpAddressTest, AnErrorNamesItsCause) {
  const auto foreign = HttpServer::Start("192.0.2.1:0", {});
  EXPECT_EQ(foreign.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(std::string(foreign.status().message()),
            "cannot serve HTTP: 192.0.2.1:0: '192.0.2.1' is not an address of this machine");
}

TEST(HttpAddressTest, AnythingButHostAndPortIsRefused) {
  for (const char* address : {"", "8000", ":8000", "127.0.0.1", "127.0.0.1:", "127.0.0.1:-1", "127.0.0.1:65536",
                              "127.0.0.1:8443s", "127.0.0.1:1,127.0.0.1:1", "127.0.0.1: 1"}) {
    EXPECT_EQ(HttpServer::Start(address, {}).status().code(), absl::StatusCode::kInvalidArgument) << address;
  }
}

}  // namespace
}  // namespace anybit::server
