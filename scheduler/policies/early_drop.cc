#include "scheduler/policies/early_drop.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "scheduler/policies/edf_filling.h"

namespace anybit::scheduler {
namespace {

Duration ObjectiveOf(const SchedulerView& view, const PendingRequest& head) {
  if (view.arrivals.objective > Duration::zero()) return view.arrivals.objective;
  return Until(head.arrival, head.run_by);
}

// The size of most rows per time within `limit`, the largest of several; 0 if none is.
int BatchSize(const LatencyTable& latency, PointId point, Duration limit) {
  int best = 0;
  for (int rows = 1; rows <= latency.max_batch; ++rows) {
    const Duration predicted = latency.Predict(point, rows);
    if (predicted > limit) continue;
    // rows / predicted >= best / Predict(best), without a division.
    if (best == 0 || predicted.count() * best <= latency.Predict(point, best).count() * rows) best = rows;
  }
  return best;
}

}  // namespace

EarlyDrop::EarlyDrop(std::optional<PointId> point, const PointTable& points)
    : point_(point), name_(WithPoint("early-drop", point, points)) {}

void EarlyDrop::DecideInto(const SchedulerView& view, Decision& decision) const {
  FillIdleSlots(view, decision, [&](const Unplanned& unplanned, int head) -> std::optional<BatchChoice> {
    const PendingRequest& request = unplanned.At(head);
    const PointSet preferred = point_ ? Preferring(*point_, request.allowed) : request.allowed;
    const PointId point = HighestThroughput(view.latency, preferred);
    const int size = BatchSize(view.latency, point, ObjectiveOf(view, request) / 2);
    std::vector<int> window = unplanned.Gather(head, point, std::max(size, request.rows));
    if (view.latency.Predict(point, SumRows(view, window)) > Slack(view, request)) return std::nullopt;
    return BatchChoice{.point = point, .members = std::move(window)};
  });
}

}  // namespace anybit::scheduler
