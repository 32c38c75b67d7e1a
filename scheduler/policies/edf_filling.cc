#include "scheduler/policies/edf_filling.h"

#include <bit>
#include <cstddef>
#include <utility>

namespace anybit {

std::optional<int> Unplanned::Head() const {
  if (static_cast<size_t>(head_) == taken_.size()) return std::nullopt;
  return head_;
}

std::vector<int> Unplanned::Gather(PointId point, int max_rows) const {
  std::vector<int> members;
  int rows = 0;
  for (int i = head_; static_cast<size_t>(i) < taken_.size() && rows < max_rows; ++i) {
    if (taken_[static_cast<size_t>(i)]) continue;
    const PendingRequest& request = At(i);
    if (!request.allowed.Contains(point) || rows + request.rows > max_rows) continue;
    members.push_back(i);
    rows += request.rows;
  }
  return members;
}

void Unplanned::Take(int position) {
  taken_[static_cast<size_t>(position)] = true;
  while (static_cast<size_t>(head_) < taken_.size() && taken_[static_cast<size_t>(head_)]) ++head_;
}

void FillIdleSlots(const SchedulerView& view, Decision& decision,
                   absl::FunctionRef<std::optional<BatchChoice>(const Unplanned&, int head)> choose) {
  Unplanned unplanned(view);
  for (size_t slot = 0; slot < view.slots.size(); ++slot) {
    if (!view.slots[slot].idle) continue;
    while (const std::optional<int> head = unplanned.Head()) {
      const std::optional<BatchChoice> choice = choose(unplanned, *head);
      if (!choice) {
        unplanned.Take(*head);
        decision.shed.push_back(*head);
        continue;
      }
      for (const int position : choice->members) unplanned.Take(position);
      decision.AddPlan(static_cast<int>(slot), choice->point, choice->members);
      break;
    }
  }
}

int SumRows(const SchedulerView& view, std::span<const int> positions) {
  int rows = 0;
  for (const int position : positions) rows += view.waiting[static_cast<size_t>(position)].rows;
  return rows;
}

std::optional<PointId> MostAccurateWithin(const LatencyModel& latency, PointSet allowed, int rows, Duration slack) {
  std::optional<PointId> best;
  for (uint64_t mask = allowed.mask(); mask != 0; mask &= mask - 1) {
    const PointId point = ToPointId(std::countr_zero(mask));
    const Duration predicted = latency.Predict(point, rows);
    if (predicted > slack) continue;
    const auto accuracy = [&](PointId p) { return latency.points()[static_cast<size_t>(ToIndex(p))].accuracy; };
    if (!best || accuracy(point) > accuracy(*best) ||
        (accuracy(point) == accuracy(*best) && predicted < latency.Predict(*best, rows))) {
      best = point;
    }
  }
  return best;
}

int LargestWithin(const LatencyModel& latency, PointId point, Duration slack) {
  int rows = latency.max_batch();
  while (rows > 0 && latency.Predict(point, rows) > slack) --rows;
  return rows;
}

}  // namespace anybit
