// Accuracy scaling (Proteus): the demand chooses the point, the head's deadline the batch.
//
// The point: the most accurate that the head accepts and with which all slots together carry the rows per second of the
// long run, within the head's slack; if none does, the one with the most rows per second. The batch: the most rows that
// this point finishes within the head's slack; as long as fewer are there, it waits for them until the head must start
// with those. It does not wait if a request that accepts the point is left over, if none has a deadline, or in a hurry
// (SchedulerView). A head that the point cannot finish in time is refused.
#ifndef ANYBIT_SCHEDULER_POLICIES_ACCURACY_SCALING_H_
#define ANYBIT_SCHEDULER_POLICIES_ACCURACY_SCALING_H_

#include "scheduler/policy.h"

namespace anybit::scheduler {

class AccuracyScaling final : public SchedulingPolicy {
 public:
  std::string_view name() const override { return "accuracy-scaling"; }
  void DecideInto(const SchedulerView& view, Decision& decision) const override;
};

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_POLICIES_ACCURACY_SCALING_H_
