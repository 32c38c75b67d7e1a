#include "scheduler/policies/head_alone.h"

#include "scheduler/policies/edf_filling.h"

namespace anybit::scheduler {

void HeadAlone::DecideInto(const SchedulerView& view, Decision& decision) const {
  FillIdleSlots(view, decision, [&](const Unplanned& unplanned, int head) -> std::optional<BatchChoice> {
    const PendingRequest& request = unplanned.At(head);
    const std::optional<PointId> point =
        MostAccurateWithin(view.latency, request.allowed, request.rows, Slack(view, request));
    if (!point) return std::nullopt;
    return BatchChoice{.point = *point, .members = {head}};
  });
}

}  // namespace anybit::scheduler
