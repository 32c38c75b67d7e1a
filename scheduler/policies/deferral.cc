#include "scheduler/policies/deferral.h"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace anybit::scheduler {
namespace {

using Choose = absl::FunctionRef<std::optional<DeferredBatch>(const Unplanned&, int head)>;

// Of those left that can still be in time, the one that must start first, and when.
struct Urgent {
  int position = 0;
  MonoTime latest_start = kNever;
};

Urgent MostUrgent(const Unplanned& unplanned, int head) {
  const SchedulerView& view = unplanned.view();
  Urgent urgent{.position = head};
  for (size_t i = static_cast<size_t>(head); i < view.waiting.size(); ++i) {
    const auto position = static_cast<int>(i);
    if (unplanned.IsTaken(position) || !IsFeasible(view, view.waiting[i])) continue;
    const MonoTime latest_start = LatestStart(view, view.waiting[i]);
    if (latest_start < urgent.latest_start) urgent = {.position = position, .latest_start = latest_start};
  }
  return urgent;
}

void Shed(Unplanned& unplanned, int position, Decision& decision) {
  unplanned.Take(position);
  decision.shed.push_back(position);
}

// The batch that the slot runs now; requests without a batch are refused. Nothing if no request is left, or if all wait
// (wake_at is set).
std::optional<BatchChoice> NextBatch(Unplanned& unplanned, Decision& decision, Choose choose) {
  const SchedulerView& view = unplanned.view();
  while (const std::optional<int> head = unplanned.Head()) {
    std::optional<DeferredBatch> choice = choose(unplanned, *head);
    if (!choice) {
      Shed(unplanned, *head, decision);
      continue;
    }
    if (choice->start_at <= view.now || view.hurry) return std::move(choice->batch);

    const Urgent urgent = MostUrgent(unplanned, *head);
    if (urgent.latest_start > view.now) {
      decision.wake_at = std::min(choice->start_at, urgent.latest_start);
      return std::nullopt;
    }
    const std::vector<int>& members = choice->batch.members;
    if (std::find(members.begin(), members.end(), urgent.position) != members.end()) return std::move(choice->batch);
    if (std::optional<DeferredBatch> own = choose(unplanned, urgent.position)) return std::move(own->batch);
    Shed(unplanned, urgent.position, decision);
  }
  return std::nullopt;
}

}  // namespace

void FillIdleSlotsOrWait(const SchedulerView& view, Decision& decision, Choose choose) {
  Unplanned unplanned(view);
  for (size_t slot = 0; slot < view.slots.size(); ++slot) {
    if (!view.slots[slot].idle) continue;
    const std::optional<BatchChoice> batch = NextBatch(unplanned, decision, choose);
    if (!batch) return;
    for (const int position : batch->members) unplanned.Take(position);
    decision.AddPlan(static_cast<int>(slot), batch->point, batch->members);
  }
}

}  // namespace anybit::scheduler
