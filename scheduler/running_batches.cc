#include "scheduler/running_batches.h"

#include <cstddef>
#include <utility>

namespace anybit::scheduler {

RunningBatches::RunningBatches(int slots)
    : batches_(static_cast<size_t>(slots)),
      slots_(static_cast<size_t>(slots)),
      last_points_(static_cast<size_t>(slots)) {}

void RunningBatches::Start(int slot, RunningBatch batch) {
  slots_[static_cast<size_t>(slot)] = {.idle = false, .free_at = SaturatingAdd(batch.dispatched_at, batch.predicted)};
  batch.warm = last_points_[static_cast<size_t>(slot)] == batch.point;
  batches_[static_cast<size_t>(slot)] = std::move(batch);
  ++count_;
}

RunningBatch RunningBatches::End(MonoTime now, int slot) {
  RunningBatch batch = std::exchange(batches_[static_cast<size_t>(slot)], RunningBatch());
  slots_[static_cast<size_t>(slot)] = {};
  last_points_[static_cast<size_t>(slot)] = batch.point;
  last_end_ = now;
  --count_;
  return batch;
}

void RunningBatches::Cancel(RequestId id) {
  for (RunningBatch& batch : batches_) {
    for (RunningRequest& member : batch.members) {
      if (member.request.id == id) member.cancelled = true;
    }
  }
}

}  // namespace anybit::scheduler
