// The loop that waiting policies share: idle slots are filled as in edf_filling.h, but a batch may name a later start.
//
// While the head's batch waits for its start, the slot stays idle and nothing behind it runs, except a request whose
// own latest start is now: it runs, with a batch of its own. So no request waits until it is too late (Check).
#ifndef ANYBIT_SCHEDULER_POLICIES_DEFERRAL_H_
#define ANYBIT_SCHEDULER_POLICIES_DEFERRAL_H_

#include <optional>

#include "absl/functional/function_ref.h"
#include "base/time.h"
#include "scheduler/decision.h"
#include "scheduler/policies/edf_filling.h"

namespace anybit::scheduler {

struct DeferredBatch {
  BatchChoice batch;
  MonoTime start_at{};  // not after now: run it; later: until then a fuller batch is hoped for
};

// Asks `choose` for each idle slot and head; heads without a choice are shed. Once a head waits, the other idle slots
// wait, too, and wake_at is the earliest instant at which anything must start. In a hurry (SchedulerView) every batch
// starts at once.
void FillIdleSlotsOrWait(const SchedulerView& view, Decision& decision,
                         absl::FunctionRef<std::optional<DeferredBatch>(const Unplanned&, int head)> choose);

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_POLICIES_DEFERRAL_H_
