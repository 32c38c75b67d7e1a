// What is counted and shown of the server as a whole, rather than of a version: what ends before a version's scheduler
// has it, the process, the device, the certificate.
#ifndef ANYBIT_METRICS_SERVER_METRICS_H_
#define ANYBIT_METRICS_SERVER_METRICS_H_

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "metrics/metrics_page.h"
#include "metrics/process_usage.h"
#include "scheduler/observer.h"

namespace anybit::metrics {

// What the labels are made of.
struct ServerMetricsLabels {
  std::vector<std::string> refused_call_reasons;
  std::string device_uuid;  // of the GPU; "": there is none, and there are no series of it
  std::string build_version;
  std::string commit;
};

// The state of the GPU. What is missing is not known, and keeps its last value.
struct DeviceMetrics {
  std::optional<double> utilization;  // 0..1
  std::optional<double> memory_used_bytes, memory_total_bytes;
  std::optional<double> temperature_celsius;
  std::optional<double> power_watts;
  std::optional<double> uncorrected_memory_errors;
};

// Any thread.
class ServerMetrics {
 public:
  // `page` outlives it and has no other.
  ServerMetrics(MetricsPage& page, const ServerMetricsLabels& labels);

  void CountInvalidRequest();
  void CountRequest(scheduler::OutcomeKind kind);
  void CountShed(scheduler::ShedReason reason);
  // `reason` is an index of the labels'.
  void CountRefusedCall(size_t reason);

  // What is known when the metrics are read, rather than told by events. Bytes that requests hold, and may hold.
  void SetRequestBytes(int64_t held, int64_t limit);
  void SetProcessUsage(const ProcessUsage& usage);
  void SetReady(bool ready);
  // The end of the validity of the certificate that the server shows; it stays 0 without TLS.
  void SetCertificateExpiry(std::chrono::system_clock::time_point expiry);

  // Nothing where the labels name no device.
  void SetDevice(const DeviceMetrics& device);

 private:
  struct Process {
    prometheus::Counter* cpu_seconds;
    prometheus::Gauge* start_time;
    prometheus::Gauge* resident_bytes;
    prometheus::Gauge* virtual_bytes;
    prometheus::Gauge* threads;
    prometheus::Gauge* open_descriptors;
    prometheus::Gauge* max_descriptors;
  };

  struct Device {
    prometheus::Gauge* utilization;
    prometheus::Gauge* memory_used;
    prometheus::Gauge* memory_total;
    prometheus::Gauge* temperature;
    prometheus::Gauge* power;
    prometheus::Gauge* memory_errors;
  };

  void AddProcess();
  void AddDevice(const std::string& uuid);

  SeriesSet series_;
  std::array<prometheus::Counter*, scheduler::kOutcomeKinds> requests_{};  // by OutcomeKind
  std::array<prometheus::Counter*, scheduler::kShedReasons> shed_{};       // by ShedReason
  prometheus::Counter* invalid_requests_;
  std::vector<prometheus::Counter*> refused_calls_;  // by reason
  prometheus::Gauge* request_bytes_;
  prometheus::Gauge* request_limit_bytes_;
  prometheus::Gauge* ready_;
  prometheus::Gauge* certificate_expiry_;
  absl::Mutex process_mutex_;  // two scrapes must not add the same processor time
  Process process_ ABSL_GUARDED_BY(process_mutex_);
  std::optional<Device> device_;
};

}  // namespace anybit::metrics

#endif  // ANYBIT_METRICS_SERVER_METRICS_H_
