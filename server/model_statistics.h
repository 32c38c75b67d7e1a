// Counts for ModelStatistics, as an observer of the scheduler. They only grow.
#ifndef ANYBIT_SERVER_MODEL_STATISTICS_H_
#define ANYBIT_SERVER_MODEL_STATISTICS_H_

#include <cstdint>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "base/time.h"
#include "proto/inference.pb.h"
#include "scheduler/observer.h"
#include "server/grpc_deadline.h"

namespace anybit::server {

// Events come on the loop thread; Snapshot may be called on any.
class ModelStatistics : public scheduler::SchedulerObserver {
 public:
  // `wall_now` dates the last batch. `max_batch` rows have the largest batch.
  ModelStatistics(int max_batch, WallTime (*wall_now)()) : wall_now_(wall_now), batches_(max_batch + 1) {}

  void OnBatchFinished(const scheduler::BatchFinishedEvent& event) override;
  // A served request is a success. One that was refused, expired or failed is a failure; a cancelled one is neither.
  void OnEnded(const scheduler::EndedEvent& event) override;

  // All but the model's name and version. Gathering a batch's inputs belongs to the queue time and making responses is
  // not measured, so compute_input and compute_output have counts and no time.
  inference::ModelStatistics Snapshot() const;

 private:
  struct Total {
    uint64_t count = 0;
    Duration time{};

    void Add(Duration took) {
      ++count;
      time += took;
    }
  };

  static void Write(const Total& total, inference::StatisticDuration& to);

  WallTime (*const wall_now_)();
  mutable absl::Mutex mutex_;
  Total success_ ABSL_GUARDED_BY(mutex_), fail_ ABSL_GUARDED_BY(mutex_);
  Total queue_ ABSL_GUARDED_BY(mutex_), compute_ ABSL_GUARDED_BY(mutex_);  // of successes
  uint64_t rows_ ABSL_GUARDED_BY(mutex_) = 0;
  WallTime last_batch_ ABSL_GUARDED_BY(mutex_){};
  std::vector<Total> batches_ ABSL_GUARDED_BY(mutex_);  // by rows
};

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_MODEL_STATISTICS_H_
