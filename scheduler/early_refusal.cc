#include "scheduler/early_refusal.h"

#include <algorithm>
#include <cstdint>

#include "scheduler/admission.h"
#include "scheduler/latency/delivery_meter.h"

namespace anybit {

void EarlyRefusal::Publish(const SchedulerView& view, Duration margin, MonoTime busy_from) {
  const bool idle = busy_from <= view.now &&
                    std::any_of(view.slots.begin(), view.slots.end(), [](const SlotView& slot) { return slot.idle; });
  const size_t waiting = view.waiting.size();
  if (idle || view.weights_vary || waiting < kMarks) {
    Clear();
    return;
  }
  const PointSet all = PointSet::First(static_cast<int>(view.latency.points().size()));
  const Duration own = view.latency.RowCost(all);
  // More is given up for requests of dear points.
  Duration most_given_up{};
  for (int p = 0; p < all.size(); ++p) {
    most_given_up = std::max(most_given_up, MostGivenUp(view, PointSet::Of(ToPointId(p))));
  }
  Queue queue{.busy_from = busy_from,
              .slots = static_cast<int>(view.slots.size()),
              .most_given_up = most_given_up,
              .margin = margin,
              .drain = PredictedDrain(view)};
  for (size_t i = 1; i <= kMarks; ++i) {
    const size_t count = waiting * i / kMarks;
    const MonoTime deadline = view.waiting[count - 1].deadline;
    if (deadline == kNever) break;
    queue.mark[queue.marks++] = {.deadline = deadline, .work = WorkBefore(view, count) + own};
  }
  published_ = true;
  absl::MutexLock lock(&mutex_);
  queue_ = queue;
}

void EarlyRefusal::Clear() {
  if (!published_) return;
  published_ = false;
  absl::MutexLock lock(&mutex_);
  queue_.marks = 0;
}

std::optional<Duration> EarlyRefusal::Refuses(MonoTime now, MonoTime deadline) const {
  absl::MutexLock lock(&mutex_);
  size_t behind = queue_.marks;
  while (behind > 0 && queue_.mark[behind - 1].deadline > deadline) --behind;
  if (behind == 0 || deadline <= now || deadline == kNever) return std::nullopt;
  const Duration done = std::max(now - queue_.busy_from, Duration::zero()) * queue_.slots;
  const Duration slack = DeliveryMeter::EndFor(deadline, now, queue_.margin) - now;
  if (Fits(queue_.mark[behind - 1].work - done, slack, queue_.slots, queue_.most_given_up)) return std::nullopt;
  return queue_.drain;
}

}  // namespace anybit
