// The server's Prometheus metrics, as an observer of the scheduler. No other class of ours knows Prometheus.
//
// Every series is made in the constructor, from labels that configuration and artifact fix: no client can add one, and
// a rate over a series that has not moved yet is 0, not absent.
#ifndef ANYBIT_METRICS_SERVING_METRICS_H_
#define ANYBIT_METRICS_SERVING_METRICS_H_

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "base/time.h"
#include "metrics/process_usage.h"
#include "scheduler/observer.h"
#include "scheduler/point_table.h"

namespace prometheus {
class Counter;
class Gauge;
class Histogram;
class Registry;
}  // namespace prometheus

namespace anybit::metrics {

// What the labels are made of.
struct ServingMetricsLabels {
  struct SlaClass {
    std::string name;
    Duration objective{};  // 0: none
  };

  std::string model;
  int64_t version = 1;
  std::string isa;                    // of the kernels; "": they are not chosen, and there is no such label
  std::string device_uuid;            // of the GPU; "": there is none, and there are no series of it
  scheduler::PointTable points;       // not empty; PointId indexes it
  std::vector<SlaClass> sla_classes;  // not empty; SlaClassId indexes it
  std::vector<std::string> tenants;   // not empty; TenantId indexes it
  std::vector<std::string> refused_call_reasons;
  int max_batch = 1;  // rows
  int slots = 1;
  std::vector<Duration> row_latencies;  // by PointId: the profile's, of one row in the largest batch
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

// The scheduler's events come on its loop thread; everything else may be called from any thread meanwhile.
class ServingMetrics : public scheduler::SchedulerObserver {
 public:
  explicit ServingMetrics(const ServingMetricsLabels& labels);
  ~ServingMetrics() override;

  // All metrics in Prometheus' text format, version 0.0.4.
  std::string Text() const;

  // What is known when the metrics are read, rather than told by events.
  void SetRequestBytes(int64_t held, int64_t limit);
  void SetProcessUsage(const ProcessUsage& usage);
  void SetReady(bool ready);
  // The end of the validity of the certificate that the server shows; it stays 0 without TLS.
  void SetCertificateExpiry(std::chrono::system_clock::time_point expiry);

  // Nothing where the labels name no device.
  void SetDevice(const DeviceMetrics& device);

  void OnDispatched(const scheduler::DispatchedEvent& event) override;
  void OnBatchFinished(const scheduler::BatchFinishedEvent& event) override;
  void OnEnded(const scheduler::EndedEvent& event) override;
  void OnDelivered(const scheduler::DeliveredEvent& event) override;
  void OnQueue(const scheduler::QueueEvent& event) override;
  void OnDecisionReplaced(const scheduler::DecisionReplacedEvent& event) override;

  // What ends before the scheduler has it. `reason` is an index of ServingMetricsLabels::refused_call_reasons.
  void CountInvalidRequest();
  void CountRequest(scheduler::OutcomeKind kind);
  void CountRefusedCall(size_t reason);

 private:
  struct Point {
    prometheus::Counter* batches;
    prometheus::Counter* rows;
    prometheus::Counter* switches;
  };
  struct SlaClass {
    prometheus::Counter* met;
    prometheus::Counter* missed;
    prometheus::Histogram* duration;
  };
  struct Tenant {
    prometheus::Counter* met;
    prometheus::Counter* missed;
    prometheus::Histogram* served_accuracy;
  };

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

  void AddRequests(const ServingMetricsLabels& labels);
  void AddClasses(const ServingMetricsLabels& labels);
  void AddTenants(const ServingMetricsLabels& labels);
  void AddPoints(const ServingMetricsLabels& labels);
  void AddHistograms(const ServingMetricsLabels& labels);
  void AddGauges(const ServingMetricsLabels& labels);
  void AddDevice(const ServingMetricsLabels& labels);
  void AddInfo(const ServingMetricsLabels& labels);
  void AddProcess();

  const std::unique_ptr<prometheus::Registry> registry_;
  double best_accuracy_ = 0;
  double queued_row_seconds_ = 0;      // of a waiting row at the best point, all slots together
  std::optional<PointId> last_point_;  // loop thread
  std::array<prometheus::Counter*, scheduler::kOutcomeKinds> requests_{};  // by OutcomeKind
  prometheus::Counter* invalid_requests_;
  std::vector<prometheus::Counter*> refused_calls_;  // by reason
  std::vector<Point> points_;                        // by PointId
  std::vector<SlaClass> sla_classes_;                // by SlaClassId
  std::vector<Tenant> tenants_;                      // by TenantId
  std::vector<prometheus::Counter*> slot_busy_;      // by slot
  prometheus::Histogram* queue_duration_;
  prometheus::Histogram* compute_duration_;
  prometheus::Histogram* batch_rows_;
  prometheus::Histogram* dispatch_slack_;
  prometheus::Histogram* prediction_ratio_;
  prometheus::Histogram* delivery_duration_;
  prometheus::Histogram* served_accuracy_;
  prometheus::Histogram* accuracy_deficit_;
  prometheus::Gauge* queue_requests_;
  prometheus::Gauge* queue_rows_;
  prometheus::Gauge* queue_work_;
  prometheus::Gauge* running_batches_;
  prometheus::Gauge* request_bytes_;
  prometheus::Gauge* request_limit_bytes_;
  prometheus::Gauge* ready_;
  prometheus::Gauge* certificate_expiry_;
  prometheus::Counter* replaced_decisions_;
  absl::Mutex process_mutex_;  // two scrapes must not add the same processor time
  Process process_ ABSL_GUARDED_BY(process_mutex_);
  std::optional<Device> device_;
};

}  // namespace anybit::metrics

#endif  // ANYBIT_METRICS_SERVING_METRICS_H_
