#include "scheduler/policies/cheapest.h"

#include <optional>

#include "scheduler/policies/edf_filling.h"

namespace anybit::scheduler {

void Cheapest::DecideInto(const SchedulerView& view, Decision& decision) const {
  FillIdleSlots(view, decision, [&](const Unplanned& unplanned, int head) -> std::optional<BatchChoice> {
    const PendingRequest& request = unplanned.At(head);
    const PointId point = LeastAccurate(view.latency, request.allowed, request.rows);
    return LargestBatchInTime(unplanned, head, point, view.latency.max_batch);
  });
}

}  // namespace anybit::scheduler
