#include "server/edge_metrics.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace anybit::server {
namespace {

using ::testing::HasSubstr;

metrics::ServingMetricsLabels Labels() {
  return {.points = {{.name = "fp32", .accuracy = 0.9}},
          .sla_classes = {{.name = "default"}},
          .tenants = {"default"},
          .refused_call_reasons = {kRefusedCallReasonNames.begin(), kRefusedCallReasonNames.end()}};
}

TEST(EdgeMetricsTest, RequestsThatEndAtTheEdgeAreCountedByHowTheyEnded) {
  metrics::ServingMetrics metrics(Labels());
  EdgeMetrics edge(metrics);
  edge.OnInvalid(absl::InvalidArgumentError("no such output"));
  edge.OnUnavailable();
  edge.OnUnavailable();
  for (int i = 0; i < 3; ++i) edge.OnShed();
  for (int i = 0; i < 4; ++i) edge.OnExpired();
  const std::string text = metrics.Text();
  EXPECT_THAT(text, HasSubstr("anybit_requests_total{outcome=\"invalid\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("anybit_requests_total{outcome=\"unavailable\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("anybit_requests_total{outcome=\"shed\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("anybit_requests_total{outcome=\"expired\"} 4\n"));
}

TEST(EdgeMetricsTest, CallsThatNeverBecameRequestsAreCountedByReason) {
  metrics::ServingMetrics metrics(Labels());
  EdgeMetrics edge(metrics);
  edge.OnRefusedCall(RefusedCallReason::kMalformedMessage);
  edge.OnRefusedCall(RefusedCallReason::kIncompleteMessage);
  edge.OnRefusedCall(RefusedCallReason::kIncompleteMessage);
  const std::string text = metrics.Text();
  EXPECT_THAT(text, HasSubstr("anybit_refused_calls_total{reason=\"unknown_method\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("anybit_refused_calls_total{reason=\"malformed_message\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("anybit_refused_calls_total{reason=\"incomplete_message\"} 2\n"));
}

}  // namespace
}  // namespace anybit::server
