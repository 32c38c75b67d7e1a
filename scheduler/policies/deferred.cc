#include "scheduler/policies/deferred.h"

#include <algorithm>
#include <utility>

#include "scheduler/policies/deferral.h"

namespace anybit::scheduler {
namespace {

// When the batch's window opens; not after its own latest start, even if more rows would take less time.
MonoTime StartOf(const Unplanned& unplanned, int head, const BatchChoice& batch) {
  const SchedulerView& view = unplanned.view();
  const MonoTime deadline = unplanned.At(head).run_by;
  const int rows = SumRows(view, batch.members);
  const bool full = rows == view.latency.max_batch || unplanned.MoreAccept(head, batch.point, batch.members);
  if (full || deadline == kNever) return view.now;
  return SaturatingAdd(deadline,
                       -std::max(view.latency.Predict(batch.point, rows), view.latency.Predict(batch.point, rows + 1)));
}

}  // namespace

Deferred::Deferred(std::optional<PointId> point, const PointTable& points)
    : point_(point), name_(WithPoint("deferred", point, points)) {}

void Deferred::DecideInto(const SchedulerView& view, Decision& decision) const {
  FillIdleSlotsOrWait(view, decision, [&](const Unplanned& unplanned, int head) -> std::optional<DeferredBatch> {
    const PendingRequest& request = unplanned.At(head);
    const PointSet preferred = point_ ? Preferring(*point_, request.allowed) : request.allowed;
    const std::optional<PointId> point =
        MostAccurateWithin(view.latency, preferred, request.rows, Slack(view, request));
    if (!point) return std::nullopt;
    std::optional<BatchChoice> batch = LargestBatchInTime(unplanned, head, *point, view.latency.max_batch);
    if (!batch) return std::nullopt;
    const MonoTime start_at = StartOf(unplanned, head, *batch);
    return DeferredBatch{.batch = *std::move(batch), .start_at = start_at};
  });
}

}  // namespace anybit::scheduler
