// The request metrics of NVIDIA Triton's server, under its names, for dashboards and autoscalers that know only them.
//
// Durations are sums in microseconds, as there. A request is one call; an inference is a row, an execution a batch.
#ifndef ANYBIT_METRICS_TRITON_METRICS_H_
#define ANYBIT_METRICS_TRITON_METRICS_H_

#include <array>
#include <cstdint>
#include <string>

#include "metrics/metrics_page.h"
#include "scheduler/observer.h"

namespace anybit::metrics {

// Of one version. The scheduler's events come on its loop thread, while any thread may read the page. Requests that
// end before the scheduler has them are not counted.
class TritonMetrics : public scheduler::SchedulerObserver {
 public:
  // `page` outlives this and has no other of the same version.
  TritonMetrics(MetricsPage& page, const std::string& model, int64_t version);

  void OnBatchFinished(const scheduler::BatchFinishedEvent& event) override;
  void OnEnded(const scheduler::EndedEvent& event) override;
  void OnQueue(const scheduler::QueueEvent& event) override;

 private:
  enum Reason { kRejected, kCanceled, kBackend, kOther, kReasons };

  SeriesSet series_;
  prometheus::Counter* successes_;
  std::array<prometheus::Counter*, kReasons> failures_{};
  prometheus::Counter* rows_;
  prometheus::Counter* batches_;
  prometheus::Counter* total_us_;
  prometheus::Counter* queued_us_;
  prometheus::Counter* computed_us_;
  prometheus::Gauge* pending_;
};

}  // namespace anybit::metrics

#endif  // ANYBIT_METRICS_TRITON_METRICS_H_
