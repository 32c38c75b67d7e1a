#include "metrics/exposer.h"

#include <atomic>
#include <chrono>
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
#include "metrics/testing/http_get.h"

namespace anybit::metrics {
namespace {

using ::testing::HasSubstr;
using testing::HttpGet;
using testing::HttpSend;

class ExposerTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto exposer = Exposer::Start("127.0.0.1:0", {.metrics = [] { return std::string("some_metric 1\n"); },
                                                  .ready = [] { return ready_.load(); }});
    ASSERT_TRUE(exposer.ok()) << exposer.status();
    exposer_ = exposer->release();
  }
  static void TearDownTestSuite() { delete exposer_; }
  void SetUp() override {
    ASSERT_NE(exposer_, nullptr);
    ready_ = false;
  }

  static inline std::atomic<bool> ready_ = false;  // test thread and HTTP threads
  static inline Exposer* exposer_ = nullptr;
};

TEST_F(ExposerTest, PortZeroPicksAPortAndTellsIt) { EXPECT_GT(exposer_->port(), 0); }

TEST_F(ExposerTest, MetricsAreServedAsPrometheusText) {
  const auto answer = HttpGet(exposer_->port(), "/metrics");
  EXPECT_EQ(answer.code, 200);
  EXPECT_THAT(answer.header, HasSubstr("text/plain; version=0.0.4"));
  EXPECT_EQ(answer.body, "some_metric 1\n");
}

TEST_F(ExposerTest, LivenessDoesNotDependOnReadiness) {
  EXPECT_EQ(HttpGet(exposer_->port(), "/livez").code, 200);
  ready_ = true;
  EXPECT_EQ(HttpGet(exposer_->port(), "/livez").code, 200);
}

TEST_F(ExposerTest, ReadinessFollowsTheCallback) {
  EXPECT_EQ(HttpGet(exposer_->port(), "/readyz").code, 503);
  ready_ = true;
  EXPECT_EQ(HttpGet(exposer_->port(), "/readyz").code, 200);
}

TEST_F(ExposerTest, HeadHasTheHeaderAndNoBody) {
  const auto answer = HttpGet(exposer_->port(), "/metrics", "HEAD");
  EXPECT_EQ(answer.code, 200);
  EXPECT_THAT(answer.header, HasSubstr("Content-Length: 14"));
  EXPECT_EQ(answer.body, "");
}

TEST_F(ExposerTest, NothingElseIsServed) {
  for (const char* path : {"/", "/etc/passwd", "/../BUILD", "/metrics/x", "/livez2"}) {
    EXPECT_EQ(HttpGet(exposer_->port(), path).code, 404) << path;
  }
  EXPECT_EQ(HttpGet(exposer_->port(), "/metrics", "POST").code, 405);
}

TEST_F(ExposerTest, APortInUseIsAClearError) {
  const std::string address = absl::StrCat("127.0.0.1:", exposer_->port());
  const auto second = Exposer::Start(address, {});
  ASSERT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(address + " is in use"));
}

TEST_F(ExposerTest, WhatIsNoRequestIsToldSo) {
  EXPECT_EQ(HttpSend(exposer_->port(), "\x16\x03\x01 hello\r\n\r\n").code, 400);
  EXPECT_EQ(HttpSend(exposer_->port(), "GET / HTTP/1.1\r\nX: " + std::string(9000, 'x') + "\r\n\r\n").code, 431);
}

TEST_F(ExposerTest, AQueryDoesNotChangeThePage) { EXPECT_EQ(HttpGet(exposer_->port(), "/livez?verbose=1").code, 200); }

TEST_F(ExposerTest, ABodyThatNobodyReadsDoesNotCostTheAnswer) {
  const std::string request = "POST /metrics HTTP/1.1\r\nContent-Length: 300000\r\n\r\n" + std::string(300000, 'x');
  EXPECT_EQ(HttpSend(exposer_->port(), request).code, 405);
}

// ---- Connections do not wait for each other. Nothing here ends by a time-out: it is longer than any test runs.

class SlowClientsTest : public ::testing::Test {
 protected:
  SlowClientsTest() { Start({}, {.idle = std::chrono::hours(1)}); }

  void Start(std::function<std::string()> metrics, ExposerLimits limits) {
    auto exposer = Exposer::Start("127.0.0.1:0", {.metrics = std::move(metrics), .ready = [] { return true; }}, limits);
    ASSERT_TRUE(exposer.ok()) << exposer.status();
    exposer_ = *std::move(exposer);
  }

  // A connection that has sent `bytes` and then does nothing.
  boost::asio::ip::tcp::socket& Connect(const std::string& bytes) {
    namespace asio = boost::asio;
    clients_.push_back(std::make_unique<asio::ip::tcp::socket>(context_));
    clients_.back()->connect({asio::ip::make_address("127.0.0.1"), static_cast<uint16_t>(exposer_->port())});
    asio::write(*clients_.back(), asio::buffer(bytes));
    return *clients_.back();
  }

  boost::asio::io_context context_;
  std::unique_ptr<Exposer> exposer_;
  std::vector<std::unique_ptr<boost::asio::ip::tcp::socket>> clients_;
};

TEST_F(SlowClientsTest, ProbesAreAnsweredBesideIdleConnectionsAndHalfARequest) {
  for (int i = 0; i < 50; ++i) {
    Connect("");
    Connect("GET /metrics HTT");
    Connect("POST /livez HTTP/1.1\r\nContent-Length: 1000000\r\n");
  }
  EXPECT_EQ(HttpGet(exposer_->port(), "/livez").code, 200);
  EXPECT_EQ(HttpGet(exposer_->port(), "/readyz").code, 200);
}

TEST_F(SlowClientsTest, ProbesAreAnsweredBesideReadersThatDoNotRead) {
  Start([] { return std::string(20'000'000, 'x'); }, {.idle = std::chrono::hours(1)});  // more than sockets hold
  for (int i = 0; i < 5; ++i) Connect("GET /metrics HTTP/1.1\r\n\r\n");
  EXPECT_EQ(HttpGet(exposer_->port(), "/livez").code, 200);
  EXPECT_EQ(HttpGet(exposer_->port(), "/metrics").body.size(), 20'000'000u);
  EXPECT_EQ(HttpGet(exposer_->port(), "/readyz").code, 200);
}

TEST_F(SlowClientsTest, ProbesAreAnsweredWhileAPageIsMade) {
  absl::Notification making, go_on;
  Start(
      [&] {
        making.Notify();
        go_on.WaitForNotification();
        return std::string("made");
      },
      {.idle = std::chrono::hours(1)});
  std::string body;
  std::thread scraper([&] { body = HttpGet(exposer_->port(), "/metrics").body; });
  making.WaitForNotification();
  EXPECT_EQ(HttpGet(exposer_->port(), "/livez").code, 200);
  EXPECT_EQ(HttpGet(exposer_->port(), "/readyz").code, 200);
  go_on.Notify();
  scraper.join();
  EXPECT_EQ(body, "made");
}

TEST_F(SlowClientsTest, TheOldestConnectionMakesRoomForOneMoreThanTheLimit) {
  Start({}, {.connections = 10, .idle = std::chrono::hours(1)});
  auto& oldest = Connect("");
  for (int i = 0; i < 30; ++i) Connect("");
  EXPECT_EQ(HttpGet(exposer_->port(), "/livez").code, 200);
  char byte;
  boost::system::error_code error;
  EXPECT_EQ(oldest.read_some(boost::asio::buffer(&byte, 1), error), 0u) << "the server closed it";
}

TEST_F(SlowClientsTest, AConnectionThatSendsNothingIsClosedWhenItsTimeIsOver) {
  Start({}, {.idle = std::chrono::milliseconds(1)});
  char byte;
  boost::system::error_code error;
  EXPECT_EQ(Connect("").read_some(boost::asio::buffer(&byte, 1), error), 0u);
}

TEST_F(SlowClientsTest, StoppingDoesNotWaitForThem) {
  for (int i = 0; i < 10; ++i) Connect("GET ");
  exposer_.reset();
}

TEST(ExposerAddressTest, AllAddressesOfIpv6AreServedAndThoseOfIpv4) {
  if (!ListeningSockets::CanOpen("[::1]:0").ok()) GTEST_SKIP() << "this machine has no IPv6";
  auto exposer = Exposer::Start("[::]:0", {.metrics = {}, .ready = [] { return true; }});
  ASSERT_TRUE(exposer.ok()) << exposer.status();
  EXPECT_EQ(HttpGet((*exposer)->port(), "/livez", "GET", "::1").code, 200);
  EXPECT_EQ(HttpGet((*exposer)->port(), "/livez", "GET", "127.0.0.1").code, 200);
}

TEST(ExposerAddressTest, AnErrorNamesItsCause) {
  const auto foreign = Exposer::Start("192.0.2.1:0", {});
  EXPECT_EQ(foreign.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(std::string(foreign.status().message()),
            "cannot serve HTTP: 192.0.2.1:0: '192.0.2.1' is not an address of this machine");
}

TEST(ExposerAddressTest, AnythingButHostAndPortIsRefused) {
  for (const char* address : {"", "8002", ":8002", "127.0.0.1", "127.0.0.1:", "127.0.0.1:-1", "127.0.0.1:65536",
                              "127.0.0.1:8443s", "127.0.0.1:1,127.0.0.1:2", "127.0.0.1: 1"}) {
    EXPECT_EQ(Exposer::Start(address, {}).status().code(), absl::StatusCode::kInvalidArgument) << address;
  }
}

}  // namespace
}  // namespace anybit::metrics
