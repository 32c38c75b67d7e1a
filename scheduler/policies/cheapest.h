// Always the least accurate point that the head accepts, as in a server without accuracy thresholds (INFaaS).
//
// The batch is the largest that the point finishes within the head's slack; a head it cannot finish in time is refused,
// even if another point could: the least accurate need not be the fastest.
#ifndef ANYBIT_SCHEDULER_POLICIES_CHEAPEST_H_
#define ANYBIT_SCHEDULER_POLICIES_CHEAPEST_H_

#include "scheduler/policy.h"

namespace anybit::scheduler {

class Cheapest final : public SchedulingPolicy {
 public:
  std::string_view name() const override { return "cheapest"; }
  void DecideInto(const SchedulerView& view, Decision& decision) const override;
};

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_POLICIES_CHEAPEST_H_
