#include "metrics/triton_metrics.h"

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace anybit::metrics {
namespace {

using scheduler::OutcomeKind;
using std::chrono::microseconds;
using ::testing::HasSubstr;

scheduler::EndedEvent Served() {
  return {.kind = OutcomeKind::kServed,
          .queue_time = microseconds(200),
          .compute_time = microseconds(700),
          .total_time = microseconds(1000)};
}

TEST(TritonMetricsTest, SuccessesAddTheirTimesInMicroseconds) {
  MetricsPage page;
  TritonMetrics metrics(page, "fashion", 3);
  metrics.OnEnded(Served());
  metrics.OnEnded(Served());
  const std::string text = page.Text();
  EXPECT_THAT(text, HasSubstr("nv_inference_request_success{model=\"fashion\",version=\"3\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("nv_inference_request_duration_us{model=\"fashion\",version=\"3\"} 2000\n"));
  EXPECT_THAT(text, HasSubstr("nv_inference_queue_duration_us{model=\"fashion\",version=\"3\"} 400\n"));
  EXPECT_THAT(text, HasSubstr("nv_inference_compute_infer_duration_us{model=\"fashion\",version=\"3\"} 1400\n"));
}

TEST(TritonMetricsTest, FailuresHaveTritonsReasons) {
  MetricsPage page;
  TritonMetrics metrics(page, "m", 1);
  for (const OutcomeKind kind : {OutcomeKind::kShed, OutcomeKind::kExpired, OutcomeKind::kCancelled,
                                 OutcomeKind::kFailed, OutcomeKind::kUnavailable}) {
    metrics.OnEnded({.kind = kind});
  }
  const std::string text = page.Text();
  EXPECT_THAT(text, HasSubstr("nv_inference_request_failure{model=\"m\",reason=\"REJECTED\",version=\"1\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("nv_inference_request_failure{model=\"m\",reason=\"CANCELED\",version=\"1\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("nv_inference_request_failure{model=\"m\",reason=\"BACKEND\",version=\"1\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("nv_inference_request_failure{model=\"m\",reason=\"OTHER\",version=\"1\"} 1\n"));
}

TEST(TritonMetricsTest, RowsAreInferencesAndBatchesExecutions) {
  MetricsPage page;
  TritonMetrics metrics(page, "m", 1);
  metrics.OnBatchFinished({.rows = 5, .ok = true});
  metrics.OnBatchFinished({.rows = 3, .ok = true});
  metrics.OnBatchFinished({.rows = 9, .ok = false});
  metrics.OnQueue({.waiting_requests = 7});
  const std::string text = page.Text();
  EXPECT_THAT(text, HasSubstr("nv_inference_count{model=\"m\",version=\"1\"} 8\n"));
  EXPECT_THAT(text, HasSubstr("nv_inference_exec_count{model=\"m\",version=\"1\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("nv_inference_pending_request_count{model=\"m\",version=\"1\"} 7\n"));
}

TEST(TritonMetricsTest, PromtoolCanReadIt) {
  const std::string folder = ::testing::TempDir();
  MetricsPage page;
  const TritonMetrics metrics(page, "a \"quoted\\ name", 1), other(page, "a \"quoted\\ name", 2);
  std::ofstream(folder + "/triton.txt") << page.Text();
  // 3: it was read, and the names are not those that promtool would choose.
  const int status =
      std::system(("promtool check metrics < '" + folder + "/triton.txt' > '" + folder + "/found.txt' 2>&1").c_str());
  EXPECT_EQ(WEXITSTATUS(status), 3);
}

}  // namespace
}  // namespace anybit::metrics
