#include "scheduler/policies/max_batch.h"

#include <bit>
#include <cstdint>
#include <optional>

#include "scheduler/policies/edf_filling.h"

namespace anybit::scheduler {
namespace {

// Of `allowed`, which is not empty, the point that runs `rows` in the least time.
PointId FastestWith(const LatencyTable& latency, PointSet allowed, int rows) {
  PointId fastest = ToPointId(std::countr_zero(allowed.mask()));
  for (uint64_t mask = allowed.mask(); mask != 0; mask &= mask - 1) {
    const PointId point = ToPointId(std::countr_zero(mask));
    if (latency.Predict(point, rows) < latency.Predict(fastest, rows)) fastest = point;
  }
  return fastest;
}

}  // namespace

void MaxBatch::DecideInto(const SchedulerView& view, Decision& decision) const {
  FillIdleSlots(view, decision, [&](const Unplanned& unplanned, int head) -> std::optional<BatchChoice> {
    const PendingRequest& request = unplanned.At(head);
    const Duration slack = Slack(view, request);
    if (!IsFeasible(view, request)) return std::nullopt;
    int room = view.latency.max_batch;
    while (view.latency.Fastest(request.allowed, room) > slack) --room;  // the head's own rows are in time
    const PointId fastest = FastestWith(view.latency, request.allowed, room);
    return MostAccurateBatch(unplanned, unplanned.Gather(head, fastest, room), slack);
  });
}

}  // namespace anybit::scheduler
