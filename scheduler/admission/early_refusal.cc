#include "scheduler/admission/early_refusal.h"

#include <algorithm>
#include <cstdint>

#include "scheduler/admission/admission.h"
#include "scheduler/latency/delivery_meter.h"

namespace anybit::scheduler {

void EarlyRefusal::Publish(const SchedulerView& view, Duration margin, MonoTime busy_from) {
  const bool idle = busy_from <= view.now &&
                    std::any_of(view.slots.begin(), view.slots.end(), [](const SlotView& slot) { return slot.idle; });
  const size_t waiting = view.waiting.size();
  if (idle || view.weights_vary || waiting < kMarks) {
    Clear();
    return;
  }
  const PointSet all = PointSet::First(static_cast<int>(view.latency.points.size()));
  const Duration own = view.latency.RowCost(all);
  // More is given up for requests of dear points.
  Duration max_given_up{};
  for (int p = 0; p < all.size(); ++p) {
    max_given_up = std::max(max_given_up, MaxGivenUp(view, PointSet::Of(ToPointId(p))));
  }
  Queue queue{.busy_from = busy_from,
              .slots = static_cast<int>(view.slots.size()),
              .max_given_up = max_given_up,
              .margin = margin,
              .drain = PredictedDrain(view)};
  Duration work = WorkBefore(view, 0);
  for (size_t i = 1, counted = 0; i <= kMarks; ++i) {
    const size_t count = waiting * i / kMarks;
    const MonoTime run_by = view.waiting[count - 1].run_by;
    if (run_by == kNever) break;
    work += WorkOf(view, counted, count - counted);
    counted = count;
    queue.mark[queue.marks++] = {.run_by = run_by, .work = work + own};
  }
  published_ = true;
  const bool is_full = waiting >= static_cast<size_t>(view.max_queue_requests);
  reason_.store(is_full ? ShedReason::kQueueFull : ShedReason::kDeadline, std::memory_order_relaxed);
  absl::MutexLock lock(&mutex_);
  queue_ = queue;
}

void EarlyRefusal::Clear() {
  if (!published_) return;
  published_ = false;
  absl::MutexLock lock(&mutex_);
  queue_.marks = 0;
}

bool EarlyRefusal::RefusesSome() const {
  absl::MutexLock lock(&mutex_);
  return queue_.marks != 0;
}

std::optional<Duration> EarlyRefusal::Refuses(MonoTime now, MonoTime deadline) const {
  absl::MutexLock lock(&mutex_);
  if (queue_.marks == 0 || deadline <= now || deadline == kNever) return std::nullopt;
  const MonoTime run_by = DeliveryMeter::RunBy(deadline, now, queue_.margin);
  size_t behind = queue_.marks;
  while (behind > 0 && queue_.mark[behind - 1].run_by > run_by) --behind;
  if (behind == 0) return std::nullopt;
  const Duration done = std::max(now - queue_.busy_from, Duration::zero()) * queue_.slots;
  const Duration slack = run_by - now;
  if (Fits(queue_.mark[behind - 1].work - done, slack, queue_.slots, queue_.max_given_up)) return std::nullopt;
  return queue_.drain;
}

}  // namespace anybit::scheduler
