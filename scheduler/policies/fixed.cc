#include "scheduler/policies/fixed.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "scheduler/policies/edf_filling.h"

namespace anybit::scheduler {

Fixed::Fixed(PointId point, const PointTable& points)
    : point_(point), name_(absl::StrCat("fixed:", points[static_cast<size_t>(ToIndex(point))].name)) {}

void Fixed::DecideInto(const SchedulerView& view, Decision& decision) const {
  FillIdleSlots(view, decision, [&](const Unplanned& unplanned, int head) -> std::optional<BatchChoice> {
    const PendingRequest& request = unplanned.At(head);
    const std::optional<PointId> point =
        MostAccurateWithin(view.latency, Preferring(point_, request.allowed), request.rows, Slack(view, request));
    if (!point) return std::nullopt;
    return LargestBatchInTime(unplanned, head, *point, view.latency.max_batch);
  });
}

}  // namespace anybit::scheduler
