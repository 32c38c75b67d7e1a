#include "metrics/server_metrics.h"

#include <chrono>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace anybit::metrics {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(ServerMetricsTest, CallsThatNeverBecameRequestsAreCountedByReason) {
  MetricsPage page;
  ServerMetrics metrics(page, {.refused_call_reasons = {"unknown_method", "malformed_message"}});
  metrics.CountRefusedCall(1);
  const std::string text = page.Text();
  EXPECT_THAT(text, HasSubstr("anybit_refused_calls_total{reason=\"unknown_method\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("anybit_refused_calls_total{reason=\"malformed_message\"} 1\n"));
}

TEST(ServerMetricsTest, TheMemoryOfRequestsIsShownWithItsLimit) {
  MetricsPage page;
  ServerMetrics metrics(page, {});
  metrics.SetRequestBytes(5, 100);
  EXPECT_THAT(page.Text(), HasSubstr("anybit_request_memory_bytes 5\n"));
  EXPECT_THAT(page.Text(), HasSubstr("anybit_request_memory_limit_bytes 100\n"));
}

TEST(ServerMetricsTest, TheBuildIsNamed) {
  MetricsPage page;
  const ServerMetrics metrics(page, {.build_version = "1.2.3", .commit = "abcdef"});
  EXPECT_THAT(page.Text(), HasSubstr("anybit_build_info{commit=\"abcdef\",version=\"1.2.3\"} 1\n"));
}

TEST(ServerMetricsTest, ProcessorTimeOfTheProcessGrowsToTheLatestReading) {
  MetricsPage page;
  ServerMetrics metrics(page, {});
  metrics.SetProcessUsage({.cpu_seconds = 1.5, .resident_bytes = 4096, .open_descriptors = 7});
  metrics.SetProcessUsage({.cpu_seconds = 2.5, .resident_bytes = 8192, .open_descriptors = 6});
  metrics.SetProcessUsage({.cpu_seconds = 0, .resident_bytes = 8192, .open_descriptors = 6});  // it could not be read
  const std::string text = page.Text();
  EXPECT_THAT(text, HasSubstr("process_cpu_seconds_total 2.5\n"));
  EXPECT_THAT(text, HasSubstr("process_resident_memory_bytes 8192\n"));
  EXPECT_THAT(text, HasSubstr("process_open_fds 6\n"));
}

TEST(ServerMetricsTest, ReadinessAndTheCertificatesEndAreShown) {
  MetricsPage page;
  ServerMetrics metrics(page, {});
  EXPECT_THAT(page.Text(), HasSubstr("anybit_ready 0\n"));
  EXPECT_THAT(page.Text(), HasSubstr("anybit_tls_certificate_expiry_timestamp_seconds 0\n"));
  metrics.SetReady(true);
  metrics.SetCertificateExpiry(std::chrono::system_clock::time_point(std::chrono::seconds(1700000000)));
  EXPECT_THAT(page.Text(), HasSubstr("anybit_ready 1\n"));
  EXPECT_THAT(page.Text(), HasSubstr("anybit_tls_certificate_expiry_timestamp_seconds 1700000000\n"));
}

TEST(ServerMetricsTest, TheDeviceIsShownWhereThereIsOneAsFarAsItIsKnown) {
  MetricsPage page_without;
  ServerMetrics without(page_without, {});
  without.SetDevice({.power_watts = 300});
  EXPECT_THAT(page_without.Text(), Not(HasSubstr("anybit_device")));
  MetricsPage page;
  ServerMetrics metrics(page, {.device_uuid = "GPU-1"});
  metrics.SetDevice({.utilization = 0.75, .memory_used_bytes = 600, .power_watts = 350.5});
  metrics.SetDevice({.utilization = 0.5});
  const std::string text = page.Text();
  EXPECT_THAT(text, HasSubstr("anybit_device_utilization_ratio{uuid=\"GPU-1\"} 0.5\n"));
  EXPECT_THAT(text, HasSubstr("anybit_device_memory_used_bytes{uuid=\"GPU-1\"} 600\n"));
  EXPECT_THAT(text, HasSubstr("anybit_device_power_watts{uuid=\"GPU-1\"} 350.5\n"));
}

}  // namespace
}  // namespace anybit::metrics
