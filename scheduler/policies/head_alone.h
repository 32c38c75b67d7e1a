// The plainest policy: each idle slot runs the head alone, at the most accurate of its points that is in time.
// It is the engine's fallback when another policy's decision is wrong, so it has nothing to get wrong.
#ifndef ANYBIT_SCHEDULER_POLICIES_HEAD_ALONE_H_
#define ANYBIT_SCHEDULER_POLICIES_HEAD_ALONE_H_

#include "scheduler/policy.h"

namespace anybit::scheduler {

class HeadAlone final : public SchedulingPolicy {
 public:
  std::string_view name() const override { return "head-alone"; }
  void DecideInto(const SchedulerView& view, Decision& decision) const override;
};

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_POLICIES_HEAD_ALONE_H_
