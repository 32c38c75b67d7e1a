// Accuracy first, rows second (the MaxAcc baseline of SuperServe).
//
// The point: the most accurate that finishes the head alone within its slack. The batch: the largest that this point
// finishes within that slack. Without a deadline every point and batch is in time. Infeasible heads are refused.
#ifndef ANYBIT_SCHEDULER_POLICIES_MAX_ACCURACY_H_
#define ANYBIT_SCHEDULER_POLICIES_MAX_ACCURACY_H_

#include "scheduler/policy.h"

namespace anybit::scheduler {

class MaxAccuracy final : public SchedulingPolicy {
 public:
  std::string_view name() const override { return "max-accuracy"; }
  void DecideInto(const SchedulerView& view, Decision& decision) const override;
};

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_POLICIES_MAX_ACCURACY_H_
