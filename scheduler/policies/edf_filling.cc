#include "scheduler/policies/edf_filling.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <utility>

namespace anybit::scheduler {

std::optional<int> Unplanned::Head() const {
  if (static_cast<size_t>(head_) == taken_.size()) return std::nullopt;
  return head_;
}

std::vector<int> Unplanned::Gather(int head, PointId point, int max_rows) const {
  std::vector<int> members;
  int rows = 0;
  for (int i = head; static_cast<size_t>(i) < taken_.size() && rows < max_rows; ++i) {
    if (taken_[static_cast<size_t>(i)]) continue;
    const PendingRequest& request = At(i);
    if (!request.allowed.Contains(point) || rows + request.rows > max_rows) continue;
    members.push_back(i);
    rows += request.rows;
  }
  return members;
}

bool Unplanned::MoreAccept(int head, PointId point, std::span<const int> members) const {
  size_t seen = 0;  // of the members, which are in order
  for (int i = head; static_cast<size_t>(i) < taken_.size(); ++i) {
    if (seen < members.size() && members[seen] == i) {
      ++seen;
    } else if (!IsTaken(i) && At(i).allowed.Contains(point)) {
      return true;
    }
  }
  return false;
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

namespace {

// The first point of `allowed`, which is not empty, that no other is better than.
PointId Best(PointSet allowed, absl::FunctionRef<bool(PointId, PointId)> is_better) {
  PointId best = ToPointId(std::countr_zero(allowed.mask()));
  for (uint64_t mask = allowed.mask(); mask != 0; mask &= mask - 1) {
    const PointId point = ToPointId(std::countr_zero(mask));
    if (is_better(point, best)) best = point;
  }
  return best;
}

}  // namespace

std::optional<PointId> MostAccurateWithin(const LatencyTable& latency, PointSet allowed, int rows, Duration slack) {
  PointSet in_time;
  for (uint64_t mask = allowed.mask(); mask != 0; mask &= mask - 1) {
    const PointId point = ToPointId(std::countr_zero(mask));
    if (latency.Predict(point, rows) <= slack) in_time = in_time.With(point);
  }
  if (in_time.empty()) return std::nullopt;
  return Best(in_time, [&](PointId a, PointId b) {
    const double gain = latency.AccuracyOf(a) - latency.AccuracyOf(b);
    return gain > 0 || (gain == 0 && latency.Predict(a, rows) < latency.Predict(b, rows));
  });
}

PointId LeastAccurate(const LatencyTable& latency, PointSet allowed, int rows) {
  return Best(allowed, [&](PointId a, PointId b) {
    const double gain = latency.AccuracyOf(a) - latency.AccuracyOf(b);
    return gain < 0 || (gain == 0 && latency.Predict(a, rows) < latency.Predict(b, rows));
  });
}

PointId HighestThroughput(const LatencyTable& latency, PointSet allowed) {
  return Best(allowed, [&](PointId a, PointId b) {
    const Duration saved = latency.RowCost(PointSet::Of(b)) - latency.RowCost(PointSet::Of(a));
    return saved > Duration::zero() || (saved == Duration::zero() && latency.AccuracyOf(a) > latency.AccuracyOf(b));
  });
}

PointSet Preferring(PointId point, PointSet allowed) { return allowed.Contains(point) ? PointSet::Of(point) : allowed; }

int LargestWithin(const LatencyTable& latency, PointId point, int max_rows, Duration slack) {
  int rows = max_rows;
  while (rows > 0 && latency.Predict(point, rows) > slack) --rows;
  return rows;
}

std::optional<BatchChoice> LargestBatchInTime(const Unplanned& unplanned, int head, PointId point, int max_rows) {
  const SchedulerView& view = unplanned.view();
  const PendingRequest& request = unplanned.At(head);
  const Duration slack = Slack(view, request);
  if (view.latency.Predict(point, request.rows) > slack) return std::nullopt;
  const int room = LargestWithin(view.latency, point, std::max(max_rows, request.rows), slack);
  std::vector<int> members = unplanned.Gather(head, point, room);
  // Fewer may wait than there is room for, and fewer rows may take longer. The head alone is in time.
  while (view.latency.Predict(point, SumRows(view, members)) > slack) members.pop_back();
  return BatchChoice{.point = point, .members = std::move(members)};
}

BatchChoice MostAccurateBatch(const Unplanned& unplanned, std::vector<int> members, Duration slack) {
  const SchedulerView& view = unplanned.view();
  while (true) {
    PointSet allowed = PointSet::First(kMaxPoints);
    for (const int position : members) allowed = allowed & unplanned.At(position).allowed;
    if (const std::optional<PointId> point = MostAccurateWithin(view.latency, allowed, SumRows(view, members), slack)) {
      return BatchChoice{.point = *point, .members = std::move(members)};
    }
    members.pop_back();
  }
}

std::string WithPoint(std::string_view name, std::optional<PointId> point, const PointTable& points) {
  std::string whole(name);
  if (point) whole += ":" + points[static_cast<size_t>(ToIndex(*point))].name;
  return whole;
}

}  // namespace anybit::scheduler
