#include "metrics/exposer.h"

#include <atomic>
#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "metrics/testing/http_get.h"

namespace anybit {
namespace {

using ::testing::HasSubstr;
using testing::HttpGet;

// One for all tests: the HTTP library takes two seconds to stop.
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

  static inline std::atomic<bool> ready_ = false;   // test thread and HTTP threads
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
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(address));
}

TEST(ExposerAddressTest, AnythingButHostAndPortIsRefused) {
  for (const char* address : {"", "8002", ":8002", "127.0.0.1", "127.0.0.1:", "127.0.0.1:-1", "127.0.0.1:65536",
                              "127.0.0.1:8443s", "127.0.0.1:1,127.0.0.1:2", "127.0.0.1: 1"}) {
    EXPECT_EQ(Exposer::Start(address, {}).status().code(), absl::StatusCode::kInvalidArgument) << address;
  }
}

}  // namespace
}  // namespace anybit
