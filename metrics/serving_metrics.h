// The server's Prometheus metrics, as an observer of the scheduler. No other class of ours knows Prometheus.
//
// Every series is made in the constructor, from labels that configuration and artifact fix: no client can add one, and
// a rate over a series that has not moved yet is 0, not absent.
#ifndef ANYBIT_METRICS_SERVING_METRICS_H_
#define ANYBIT_METRICS_SERVING_METRICS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/time.h"
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
  scheduler::PointTable points;       // not empty; PointId indexes it
  std::vector<SlaClass> sla_classes;  // not empty; SlaClassId indexes it
  std::vector<std::string> tenants;   // not empty; TenantId indexes it
  std::vector<std::string> refused_call_reasons;
  int max_batch = 1;  // rows
  int slots = 1;
};

// The scheduler's events come on its loop thread; everything else may be called from any thread meanwhile.
class ServingMetrics : public scheduler::SchedulerObserver {
 public:
  explicit ServingMetrics(const ServingMetricsLabels& labels);
  ~ServingMetrics() override;

  // All metrics in Prometheus' text format, version 0.0.4.
  std::string Text() const;

  // Bytes that requests hold, and may hold.
  void SetRequestBytes(int64_t held, int64_t limit);

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
  };
  struct SlaClass {
    prometheus::Counter* met;
    prometheus::Counter* missed;
  };
  struct Tenant {
    prometheus::Counter* met;
    prometheus::Counter* missed;
    prometheus::Histogram* served_accuracy;
  };

  const std::unique_ptr<prometheus::Registry> registry_;
  double best_accuracy_ = 0;
  std::array<prometheus::Counter*, scheduler::kOutcomeKinds> requests_{};  // by OutcomeKind
  prometheus::Counter* invalid_requests_;
  std::vector<prometheus::Counter*> refused_calls_;  // by reason
  std::vector<Point> points_;                        // by PointId
  std::vector<SlaClass> sla_classes_;                // by SlaClassId
  std::vector<Tenant> tenants_;                      // by TenantId
  std::vector<prometheus::Counter*> slot_busy_;      // by slot
  prometheus::Histogram* queue_duration_;
  prometheus::Histogram* compute_duration_;
  prometheus::Histogram* request_duration_;
  prometheus::Histogram* batch_rows_;
  prometheus::Histogram* prediction_ratio_;
  prometheus::Histogram* delivery_duration_;
  prometheus::Histogram* served_accuracy_;
  prometheus::Histogram* accuracy_deficit_;
  prometheus::Gauge* queue_requests_;
  prometheus::Gauge* queue_rows_;
  prometheus::Gauge* running_batches_;
  prometheus::Gauge* request_bytes_;
  prometheus::Gauge* request_limit_bytes_;
  prometheus::Counter* replaced_decisions_;
};

}  // namespace anybit::metrics

#endif  // ANYBIT_METRICS_SERVING_METRICS_H_
