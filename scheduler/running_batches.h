// The batches that run, at most one on each slot, and when each slot is expected to be free.
#ifndef ANYBIT_SCHEDULER_RUNNING_BATCHES_H_
#define ANYBIT_SCHEDULER_RUNNING_BATCHES_H_

#include <optional>
#include <span>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "base/time.h"
#include "scheduler/decision.h"
#include "scheduler/request.h"

namespace anybit::scheduler {

// Its payload is with the runner.
struct RunningRequest {
  PendingRequest request;
  absl::AnyInvocable<void(Outcome)> done;
  bool cancelled = false;
  bool in_time = false;  // its answer leaves by answer_by; known once the batch has ended
};

struct RunningBatch {
  PointId point{};
  int rows = 0;
  MonoTime dispatched_at{};
  Duration predicted{};
  bool trial = false;                   // see Trials
  bool warm = false;                    // the batch before it on its slot had its point
  bool rested = false;                  // the machine was at rest when it began
  std::vector<RunningRequest> members;  // in dispatch order
};

class RunningBatches {
 public:
  explicit RunningBatches(int slots);

  std::span<const SlotView> slots() const { return slots_; }
  int count() const { return count_; }
  bool AnySlotIdle() const { return count_ < static_cast<int>(slots_.size()); }
  // The end of the last batch on any slot.
  MonoTime last_end() const { return last_end_; }

  // `slot` is idle. Fills in `warm`.
  void Start(int slot, RunningBatch batch);
  // Takes out the batch of `slot`, which is idle then.
  RunningBatch End(MonoTime now, int slot);

  // Marks the request if it runs.
  void Cancel(RequestId id);

 private:
  std::vector<RunningBatch> batches_;                // by slot; without members while it is idle
  std::vector<SlotView> slots_;                      // by slot
  std::vector<std::optional<PointId>> last_points_;  // by slot: of the last batch that ended there
  int count_ = 0;
  MonoTime last_end_{};
};

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_RUNNING_BATCHES_H_
