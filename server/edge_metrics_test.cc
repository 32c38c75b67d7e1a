#include "server/edge_metrics.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace anybit::server {
namespace {

using ::testing::HasSubstr;

const std::vector<std::string> kReasons = {kRefusedCallReasonNames.begin(), kRefusedCallReasonNames.end()};

TEST(EdgeMetricsTest, RequestsThatEndAtTheEdgeAreCountedByHowTheyEnded) {
  metrics::MetricsPage page;
  metrics::ServerMetrics metrics(page, {.refused_call_reasons = kReasons});
  EdgeMetrics edge(metrics);
  edge.OnInvalid(absl::InvalidArgumentError("no such output"));
  edge.OnUnavailable();
  edge.OnUnavailable();
  edge.OnShed(scheduler::ShedReason::kMemory);
  for (int i = 0; i < 2; ++i) edge.OnShed(scheduler::ShedReason::kDeadline);
  for (int i = 0; i < 4; ++i) edge.OnExpired();
  const std::string text = page.Text();
  EXPECT_THAT(text, HasSubstr("anybit_requests_total{outcome=\"invalid\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("anybit_requests_total{outcome=\"unavailable\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("anybit_requests_total{outcome=\"shed\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("anybit_requests_total{outcome=\"expired\"} 4\n"));
  EXPECT_THAT(text, HasSubstr("anybit_shed_requests_total{reason=\"memory\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("anybit_shed_requests_total{reason=\"deadline\"} 2\n"));
}

TEST(EdgeMetricsTest, CallsThatNeverBecameRequestsAreCountedByReason) {
  metrics::MetricsPage page;
  metrics::ServerMetrics metrics(page, {.refused_call_reasons = kReasons});
  EdgeMetrics edge(metrics);
  edge.OnRefusedCall(RefusedCallReason::kMalformedMessage);
  edge.OnRefusedCall(RefusedCallReason::kIncompleteMessage);
  edge.OnRefusedCall(RefusedCallReason::kIncompleteMessage);
  const std::string text = page.Text();
  EXPECT_THAT(text, HasSubstr("anybit_refused_calls_total{reason=\"unknown_method\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("anybit_refused_calls_total{reason=\"malformed_message\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("anybit_refused_calls_total{reason=\"incomplete_message\"} 2\n"));
}

}  // namespace
}  // namespace anybit::server
