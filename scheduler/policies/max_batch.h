// Rows first, accuracy second (the MaxBatch baseline of SuperServe).
//
// The batch: the largest number of waiting rows that any point finishes within the head's slack. The point: the most
// accurate that finishes this batch within that slack. A request without a deadline has room
// for any batch. Infeasible heads are refused.
#ifndef ANYBIT_SCHEDULER_POLICIES_MAX_BATCH_H_
#define ANYBIT_SCHEDULER_POLICIES_MAX_BATCH_H_

#include "scheduler/policy.h"

namespace anybit::scheduler {

class MaxBatch final : public SchedulingPolicy {
 public:
  std::string_view name() const override { return "max-batch"; }
  void DecideInto(const SchedulerView& view, Decision& decision) const override;
};

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_POLICIES_MAX_BATCH_H_
