#include "scheduler/checked_policy.h"

#include <utility>

namespace anybit::scheduler {

CheckedPolicy::CheckedPolicy(const SchedulingPolicy& policy,
                             absl::AnyInvocable<void(const SchedulerView&, const absl::Status&)> on_replaced)
    : policy_(policy), on_replaced_(std::move(on_replaced)) {}

void CheckedPolicy::DecideInto(const SchedulerView& view, Decision& decision) {
  decision.Clear();
  policy_.DecideInto(view, decision);
  const absl::Status status = check_(view, decision);
  if (status.ok()) return;
  ++replaced_;
  on_replaced_(view, status);
  decision.Clear();
  fallback_.DecideInto(view, decision);
}

}  // namespace anybit::scheduler
