// The request metrics of NVIDIA Triton's server, under its names, for dashboards and autoscalers that know only them.
//
// Durations are sums in microseconds, as there. A request is one call; an inference is a row, an execution a batch.
#ifndef ANYBIT_METRICS_TRITON_METRICS_H_
#define ANYBIT_METRICS_TRITON_METRICS_H_

#include <array>
#include <cstdint>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "base/time.h"
#include "scheduler/observer.h"

namespace anybit::metrics {

// The scheduler's events come on its loop thread; Text may be called from any thread meanwhile. Requests that end
// before the scheduler has them are not counted.
class TritonMetrics : public scheduler::SchedulerObserver {
 public:
  TritonMetrics(absl::string_view model, int64_t version);

  // In Prometheus' text format, version 0.0.4.
  std::string Text() const;

  void OnBatchFinished(const scheduler::BatchFinishedEvent& event) override;
  void OnEnded(const scheduler::EndedEvent& event) override;
  void OnQueue(const scheduler::QueueEvent& event) override;

 private:
  enum Reason { kRejected, kCanceled, kBackend, kOther, kReasons };

  const std::string labels_;  // model="...",version="..."
  mutable absl::Mutex mutex_;
  int64_t successes_ ABSL_GUARDED_BY(mutex_) = 0;
  std::array<int64_t, kReasons> failures_ ABSL_GUARDED_BY(mutex_){};
  int64_t rows_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t batches_ ABSL_GUARDED_BY(mutex_) = 0;
  Duration total_ ABSL_GUARDED_BY(mutex_){}, queued_ ABSL_GUARDED_BY(mutex_){}, computed_ ABSL_GUARDED_BY(mutex_){};
  int64_t pending_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace anybit::metrics

#endif  // ANYBIT_METRICS_TRITON_METRICS_H_
