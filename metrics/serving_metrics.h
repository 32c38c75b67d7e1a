// The metrics of one served version, as an observer of its scheduler.
#ifndef ANYBIT_METRICS_SERVING_METRICS_H_
#define ANYBIT_METRICS_SERVING_METRICS_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "metrics/metrics_page.h"
#include "scheduler/observer.h"
#include "scheduler/point_table.h"

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
  int max_batch = 1;                  // rows
  int slots = 1;
  std::vector<Duration> row_latencies;  // by PointId: the profile's, of one row in the largest batch
};

// The scheduler's events come on its loop thread, while any thread may read the page.
class ServingMetrics : public scheduler::SchedulerObserver {
 public:
  // `page` outlives this and has no other of the same version.
  ServingMetrics(MetricsPage& page, const ServingMetricsLabels& labels);

  void OnDispatched(const scheduler::DispatchedEvent& event) override;
  void OnBatchFinished(const scheduler::BatchFinishedEvent& event) override;
  void OnEnded(const scheduler::EndedEvent& event) override;
  void OnDelivered(const scheduler::DeliveredEvent& event) override;
  void OnQueue(const scheduler::QueueEvent& event) override;
  void OnDecisionReplaced(const scheduler::DecisionReplacedEvent& event) override;

  // A row was answered at `point`, and run again at the reference point. Loop thread.
  void CountLiveRow(PointId point, bool agrees);
  // A client knows whether an answer of `point` was correct. Any thread.
  void CountFeedback(PointId point, bool correct);
  // Memory of the network's weights, and of their copies for single points. Any thread.
  void SetNetworkBytes(int64_t weights, int64_t panels);

 private:
  struct Point {
    prometheus::Counter* batches;
    prometheus::Counter* rows;
    std::array<prometheus::Counter*, scheduler::kSwitchReasons> switches;  // by SwitchReason
    std::array<prometheus::Counter*, 2> live_rows;                         // that disagree, and agree
    std::array<prometheus::Counter*, 2> feedback_rows;                     // that were wrong, and correct
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

  void AddRequests();
  void AddClasses(const ServingMetricsLabels& labels);
  void AddTenants(const ServingMetricsLabels& labels);
  void AddPoints(const ServingMetricsLabels& labels);
  Point AddPoint(const std::string& name);
  void AddHistograms(const ServingMetricsLabels& labels);
  void AddGauges(const ServingMetricsLabels& labels);

  SeriesSet series_;
  double best_accuracy_ = 0;
  double queued_row_seconds_ = 0;  // of a waiting row at the best point, all slots together
  std::array<prometheus::Counter*, scheduler::kOutcomeKinds> requests_{};  // by OutcomeKind
  std::array<prometheus::Counter*, scheduler::kShedReasons> shed_{};       // by ShedReason
  std::vector<Point> points_;                                              // by PointId
  std::vector<SlaClass> sla_classes_;                                      // by SlaClassId
  std::vector<Tenant> tenants_;                                            // by TenantId
  std::vector<prometheus::Counter*> slot_busy_;                            // by slot
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
  prometheus::Gauge* weight_bytes_;
  prometheus::Gauge* panel_bytes_;
  prometheus::Counter* replaced_decisions_;
};

}  // namespace anybit::metrics

#endif  // ANYBIT_METRICS_SERVING_METRICS_H_
