#include "scheduler/policies/accuracy_scaling.h"

#include <bit>
#include <cstdint>
#include <optional>
#include <utility>

#include "scheduler/policies/deferral.h"

namespace anybit::scheduler {
namespace {

PointId PointForDemand(const SchedulerView& view, const PendingRequest& head) {
  const auto objective = static_cast<double>(view.arrivals.objective.count());
  const double slot_time = static_cast<double>(view.slots.size()) * objective;
  PointSet carrying;
  for (uint64_t mask = head.allowed.mask(); mask != 0; mask &= mask - 1) {
    const PointId point = ToPointId(std::countr_zero(mask));
    if (view.arrivals.slow * static_cast<double>(view.latency.RowCost(PointSet::Of(point)).count()) <= slot_time) {
      carrying = carrying.With(point);
    }
  }
  // The demand may have fallen while the head waited for the last instant of a faster point.
  return MostAccurateWithin(view.latency, carrying, head.rows, Slack(view, head))
      .value_or(HighestThroughput(view.latency, head.allowed));
}

// Now if the batch is as full as it can get, else when it must start to be in time.
MonoTime StartOf(const Unplanned& unplanned, int head, const BatchChoice& batch) {
  const SchedulerView& view = unplanned.view();
  const PendingRequest& request = unplanned.At(head);
  const int rows = SumRows(view, batch.members);
  const int room = LargestWithin(view.latency, batch.point, view.latency.max_batch, Slack(view, request));
  const bool full = rows == room || unplanned.MoreAccept(head, batch.point, batch.members);
  if (full || request.run_by == kNever) return view.now;
  return SaturatingAdd(request.run_by, -view.latency.Predict(batch.point, rows));
}

}  // namespace

void AccuracyScaling::DecideInto(const SchedulerView& view, Decision& decision) const {
  FillIdleSlotsOrWait(view, decision, [&](const Unplanned& unplanned, int head) -> std::optional<DeferredBatch> {
    const PointId point = PointForDemand(view, unplanned.At(head));
    std::optional<BatchChoice> batch = LargestBatchInTime(unplanned, head, point, view.latency.max_batch);
    if (!batch) return std::nullopt;
    const MonoTime start_at = StartOf(unplanned, head, *batch);
    return DeferredBatch{.batch = *std::move(batch), .start_at = start_at};
  });
}

}  // namespace anybit::scheduler
