#include "scheduler/decision.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "absl/strings/str_cat.h"

namespace anybit {
namespace {

// Marks one position as used by the decision, once.
absl::Status Take(const SchedulerView& view, int position, std::vector<bool>& taken) {
  if (position < 0 || static_cast<size_t>(position) >= view.waiting.size()) {
    return absl::InternalError(
        absl::StrCat("decision names position ", position, " of ", view.waiting.size(), " waiting requests"));
  }
  if (taken[static_cast<size_t>(position)]) {
    return absl::InternalError(absl::StrCat("decision names position ", position, " twice"));
  }
  taken[static_cast<size_t>(position)] = true;
  return absl::OkStatus();
}

absl::Status CheckPlan(const SchedulerView& view, const Decision& decision, const Plan& plan, std::vector<bool>& slot_used,
                       std::vector<bool>& taken) {
  if (plan.first < 0 || plan.count < 0 || static_cast<size_t>(plan.first) > decision.members.size() ||
      static_cast<size_t>(plan.count) > decision.members.size() - static_cast<size_t>(plan.first)) {
    return absl::InternalError(absl::StrCat("plan names members ", plan.first, " to ", plan.first + plan.count,
                                            " of ", decision.members.size()));
  }
  if (plan.slot < 0 || static_cast<size_t>(plan.slot) >= view.slots.size()) {
    return absl::InternalError(absl::StrCat("plan names slot ", plan.slot, " of ", view.slots.size()));
  }
  const auto slot = static_cast<size_t>(plan.slot);
  if (!view.slots[slot].idle || slot_used[slot]) {
    return absl::InternalError(absl::StrCat("plan names slot ", plan.slot, ", which is busy"));
  }
  slot_used[slot] = true;
  if (static_cast<size_t>(ToIndex(plan.point)) >= view.latency.points().size()) {
    return absl::InternalError(
        absl::StrCat("plan names point ", ToIndex(plan.point), " of ", view.latency.points().size()));
  }
  if (plan.count == 0) return absl::InternalError("plan has no members");
  int64_t rows = 0;
  for (const int position : decision.MembersOf(plan)) {
    if (absl::Status status = Take(view, position, taken); !status.ok()) return status;
    const PendingRequest& request = view.waiting[static_cast<size_t>(position)];
    if (!request.allowed.Contains(plan.point)) {
      return absl::InternalError(absl::StrCat("plan runs request ", static_cast<uint64_t>(request.id), " at ",
                                              view.latency.points()[static_cast<size_t>(ToIndex(plan.point))].name,
                                              ", which it does not accept"));
    }
    rows += request.rows;
  }
  if (rows > view.latency.max_batch()) {
    return absl::InternalError(absl::StrCat("batch of ", rows, " exceeds max batch size ", view.latency.max_batch()));
  }
  return absl::OkStatus();
}

absl::Status CheckIdleness(const SchedulerView& view, const Decision& decision, const std::vector<bool>& slot_used,
                           const std::vector<bool>& taken) {
  bool idle = false;
  for (size_t s = 0; s < view.slots.size(); ++s) idle = idle || (view.slots[s].idle && !slot_used[s]);
  if (!idle) return absl::OkStatus();
  for (size_t i = 0; i < view.waiting.size(); ++i) {
    const PendingRequest& request = view.waiting[i];
    if (taken[i] || !IsFeasible(view, request)) continue;
    if (decision.wake_at == kNever || decision.wake_at <= view.now || decision.wake_at > LatestStart(view, request)) {
      return absl::InternalError(absl::StrCat("a slot stays idle beside feasible request ",
                                              static_cast<uint64_t>(request.id), " and nobody wakes in time"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

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
  if (request.deadline == kNever) return kNever;
  return SaturatingAdd(request.deadline, -view.latency.Fastest(request.allowed, request.rows));
}

absl::Status Check(const SchedulerView& view, const Decision& decision) {
  std::vector<bool> taken(view.waiting.size());
  std::vector<bool> slot_used(view.slots.size());
  for (const int position : decision.shed) {
    if (absl::Status status = Take(view, position, taken); !status.ok()) return status;
  }
  for (const Plan& plan : decision.plans) {
    if (absl::Status status = CheckPlan(view, decision, plan, slot_used, taken); !status.ok()) return status;
  }
  return CheckIdleness(view, decision, slot_used, taken);
}

}  // namespace anybit
