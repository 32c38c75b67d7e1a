// A policy behind its check: a wrong decision is replaced by the fallback policy's, so the engine applies only sound
// decisions.
#ifndef ANYBIT_SCHEDULER_CHECKED_POLICY_H_
#define ANYBIT_SCHEDULER_CHECKED_POLICY_H_

#include <cstdint>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "scheduler/decision.h"
#include "scheduler/policies/head_alone.h"
#include "scheduler/policy.h"

namespace anybit::scheduler {

class CheckedPolicy {
 public:
  // `policy` outlives it. `on_replaced` is told of each wrong decision: its view and what was wrong.
  CheckedPolicy(const SchedulingPolicy& policy,
                absl::AnyInvocable<void(const SchedulerView&, const absl::Status&)> on_replaced);

  const SchedulingPolicy& policy() const { return policy_; }

  // Fills `decision`, whose memory is kept.
  void DecideInto(const SchedulerView& view, Decision& decision);

  // How often the fallback policy had to decide.
  int64_t replaced() const { return replaced_; }

 private:
  const SchedulingPolicy& policy_;
  const HeadAlone fallback_;
  DecisionCheck check_;
  int64_t replaced_ = 0;
  absl::AnyInvocable<void(const SchedulerView&, const absl::Status&)> on_replaced_;
};

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_CHECKED_POLICY_H_
