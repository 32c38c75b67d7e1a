#include "server/model_statistics.h"

#include <chrono>

namespace anybit::server {

using scheduler::OutcomeKind;

void ModelStatistics::OnBatchFinished(const scheduler::BatchFinishedEvent& event) {
  if (!event.ok) return;
  const WallTime now = wall_now_();
  absl::MutexLock lock(&mutex_);
  last_batch_ = now;
  batches_[event.rows].Add(event.computed);
}

void ModelStatistics::OnEnded(const scheduler::EndedEvent& event) {
  if (event.kind == OutcomeKind::kCancelled) return;
  absl::MutexLock lock(&mutex_);
  if (event.kind != OutcomeKind::kServed) return fail_.Add(event.total_time);
  success_.Add(event.total_time);
  queue_.Add(event.queue_time);
  compute_.Add(event.compute_time);
  rows_ += event.rows;
}

void ModelStatistics::Write(const Total& total, inference::StatisticDuration& to) {
  to.set_count(total.count);
  to.set_ns(total.time.count());
}

inference::ModelStatistics ModelStatistics::Snapshot() const {
  inference::ModelStatistics statistics;
  absl::MutexLock lock(&mutex_);
  statistics.set_last_inference(
      std::chrono::duration_cast<std::chrono::milliseconds>(last_batch_.time_since_epoch()).count());
  statistics.set_inference_count(rows_);
  inference::InferStatistics& requests = *statistics.mutable_inference_stats();
  Write(success_, *requests.mutable_success());
  Write(fail_, *requests.mutable_fail());
  Write(queue_, *requests.mutable_queue());
  Write({.count = success_.count}, *requests.mutable_compute_input());
  Write(compute_, *requests.mutable_compute_infer());
  Write({.count = success_.count}, *requests.mutable_compute_output());
  Write({}, *requests.mutable_cache_hit());
  Write({}, *requests.mutable_cache_miss());
  uint64_t executions = 0;
  for (size_t rows = 0; rows < batches_.size(); ++rows) {
    const Total& batch = batches_[rows];
    if (batch.count == 0) continue;
    executions += batch.count;
    inference::InferBatchStatistics& row = *statistics.add_batch_stats();
    row.set_batch_size(rows);
    Write({.count = batch.count}, *row.mutable_compute_input());
    Write(batch, *row.mutable_compute_infer());
    Write({.count = batch.count}, *row.mutable_compute_output());
  }
  statistics.set_execution_count(executions);
  return statistics;
}

}  // namespace anybit::server
