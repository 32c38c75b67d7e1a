#include "scheduler/policies/fixed.h"

#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "scheduler/policies/edf_filling.h"

namespace anybit {

Fixed::Fixed(PointId point, const PointTable& points)
    : point_(point), name_(absl::StrCat("fixed:", points[static_cast<size_t>(ToIndex(point))].name)) {}

void Fixed::DecideInto(const SchedulerView& view, Decision& decision) const {
  FillIdleSlots(view, decision, [&](const Unplanned& unplanned, int head) -> std::optional<BatchChoice> {
    const PendingRequest& request = unplanned.At(head);
    const Duration slack = Slack(view, request);
    const PointSet allowed = request.allowed.Contains(point_) ? PointSet::Of(point_) : request.allowed;
    const std::optional<PointId> point = MostAccurateWithin(view.latency, allowed, request.rows, slack);
    if (!point) return std::nullopt;
    std::vector<int> members = unplanned.Gather(*point, LargestWithin(view.latency, *point, slack));
    // Fewer may wait than the batch has room for, and fewer rows may take longer. The head alone is in time.
    while (view.latency.Predict(*point, SumRows(view, members)) > slack) members.pop_back();
    return BatchChoice{.point = *point, .members = std::move(members)};
  });
}

}  // namespace anybit
