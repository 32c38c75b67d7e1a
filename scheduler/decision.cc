#include "scheduler/decision.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "absl/strings/str_cat.h"

namespace anybit::scheduler {
void Decision::AddPlan(int slot, PointId point, std::span<const int> plan_members) {
  plans.push_back({.slot = slot,
                   .point = point,
                   .first = static_cast<int>(members.size()),
                   .count = static_cast<int>(plan_members.size())});
  members.insert(members.end(), plan_members.begin(), plan_members.end());
}

void Decision::Clear() {
  shed.clear();
  members.clear();
  plans.clear();
  wake_at = kNever;
}

bool IsFeasible(const SchedulerView& view, const PendingRequest& request) {
  return view.latency.Fastest(request.allowed, request.rows) <= Slack(view, request);
}

MonoTime LatestStart(const SchedulerView& view, const PendingRequest& request) {
  if (request.run_by == kNever) return kNever;
  return SaturatingAdd(request.run_by, -view.latency.Fastest(request.allowed, request.rows));
}

absl::Status Check(const SchedulerView& view, const Decision& decision) { return DecisionCheck()(view, decision); }

absl::Status DecisionCheck::operator()(const SchedulerView& view, const Decision& decision) {
  if (++turn_ == 0) {  // after four thousand million turns the marks of the first ones would count again
    position_taken_.assign(position_taken_.size(), 0);
    slot_taken_.assign(slot_taken_.size(), 0);
    turn_ = 1;
  }
  if (position_taken_.size() < view.waiting.size()) position_taken_.resize(view.waiting.size());
  if (slot_taken_.size() < view.slots.size()) slot_taken_.resize(view.slots.size());
  for (const int position : decision.shed) {
    if (!Marks(view, position)) return Take(view, position);
  }
  for (const Plan& plan : decision.plans) {
    if (absl::Status status = CheckPlan(view, decision, plan); !status.ok()) return status;
  }
  return CheckIdleness(view, decision);
}

// A position that is there and not marked yet is the rule; everything else is said by Take.
inline bool DecisionCheck::Marks(const SchedulerView& view, int position) {
  if (static_cast<size_t>(position) >= view.waiting.size()) return false;  // negative ones too
  uint32_t& taken = position_taken_[static_cast<size_t>(position)];
  if (taken == turn_) return false;
  taken = turn_;
  return true;
}

absl::Status DecisionCheck::Take(const SchedulerView& view, int position) {
  if (position < 0 || static_cast<size_t>(position) >= view.waiting.size()) {
    return absl::InternalError(
        absl::StrCat("decision names position ", position, " of ", view.waiting.size(), " waiting requests"));
  }
  uint32_t& taken = position_taken_[static_cast<size_t>(position)];
  if (taken == turn_) return absl::InternalError(absl::StrCat("decision names position ", position, " twice"));
  taken = turn_;
  return absl::OkStatus();
}

absl::Status DecisionCheck::TakeSlot(const SchedulerView& view, int slot) {
  if (slot < 0 || static_cast<size_t>(slot) >= view.slots.size()) {
    return absl::InternalError(absl::StrCat("plan names slot ", slot, " of ", view.slots.size()));
  }
  uint32_t& taken = slot_taken_[static_cast<size_t>(slot)];
  if (!view.slots[static_cast<size_t>(slot)].idle || taken == turn_) {
    return absl::InternalError(absl::StrCat("plan names slot ", slot, ", which is busy"));
  }
  taken = turn_;
  return absl::OkStatus();
}

absl::Status DecisionCheck::CheckPlan(const SchedulerView& view, const Decision& decision, const Plan& plan) {
  if (plan.first < 0 || plan.count < 0 || static_cast<size_t>(plan.first) > decision.members.size() ||
      static_cast<size_t>(plan.count) > decision.members.size() - static_cast<size_t>(plan.first)) {
    return absl::InternalError(
        absl::StrCat("plan names ", plan.count, " members from ", plan.first, " on, of ", decision.members.size()));
  }
  if (absl::Status status = TakeSlot(view, plan.slot); !status.ok()) return status;
  if (static_cast<size_t>(ToIndex(plan.point)) >= view.latency.points.size()) {
    return absl::InternalError(
        absl::StrCat("plan names point ", ToIndex(plan.point), " of ", view.latency.points.size()));
  }
  if (plan.count == 0) return absl::InternalError("plan has no members");
  int64_t rows = 0;
  for (const int position : decision.MembersOf(plan)) {
    if (!Marks(view, position)) return Take(view, position);
    const PendingRequest& request = view.waiting[static_cast<size_t>(position)];
    if (!request.allowed.Contains(plan.point)) {
      return absl::InternalError(absl::StrCat("plan runs request ", static_cast<uint64_t>(request.id), " at ",
                                              view.latency.points[static_cast<size_t>(ToIndex(plan.point))].name,
                                              ", which it does not accept"));
    }
    rows += request.rows;
  }
  if (rows > view.latency.max_batch) {
    return absl::InternalError(absl::StrCat("batch of ", rows, " exceeds max batch size ", view.latency.max_batch));
  }
  return absl::OkStatus();
}

absl::Status DecisionCheck::CheckIdleness(const SchedulerView& view, const Decision& decision) const {
  bool idle = false;
  for (size_t s = 0; s < view.slots.size(); ++s) idle = idle || (view.slots[s].idle && slot_taken_[s] != turn_);
  if (!idle) return absl::OkStatus();
  for (size_t i = 0; i < view.waiting.size(); ++i) {
    const PendingRequest& request = view.waiting[i];
    if (position_taken_[i] == turn_ || !IsFeasible(view, request)) continue;
    if (decision.wake_at == kNever || decision.wake_at <= view.now || decision.wake_at > LatestStart(view, request)) {
      return absl::InternalError(absl::StrCat("a slot stays idle beside feasible request ",
                                              static_cast<uint64_t>(request.id), " and nobody wakes in time"));
    }
  }
  return absl::OkStatus();
}

}  // namespace anybit::scheduler
