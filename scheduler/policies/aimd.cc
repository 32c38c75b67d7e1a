#include "scheduler/policies/aimd.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "scheduler/policies/edf_filling.h"

namespace anybit::scheduler {
namespace {

PointId MostAccurate(const PointTable& points) {
  size_t best = 0;
  for (size_t p = 1; p < points.size(); ++p) {
    if (points[p].accuracy > points[best].accuracy) best = p;
  }
  return ToPointId(static_cast<int>(best));
}

}  // namespace

Aimd::Aimd(std::optional<PointId> point, const PointTable& points)
    : point_(point ? *point : MostAccurate(points)), name_(WithPoint("aimd", point, points)) {}

void Aimd::DecideInto(const SchedulerView& view, Decision& decision) const {
  const double most = view.latency.max_batch;
  const int limit = static_cast<int>(std::floor(std::clamp(view.aimd_rows, 1.0, most)));
  FillIdleSlots(view, decision, [&](const Unplanned& unplanned, int head) -> std::optional<BatchChoice> {
    const PendingRequest& request = unplanned.At(head);
    const std::optional<PointId> point =
        MostAccurateWithin(view.latency, Preferring(point_, request.allowed), request.rows, Slack(view, request));
    if (!point) return std::nullopt;
    return LargestBatchInTime(unplanned, head, *point, limit);
  });
}

}  // namespace anybit::scheduler
