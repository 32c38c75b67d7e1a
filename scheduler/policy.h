// The interface of policies. Pure and memoryless: equal views give equal decisions; all that must be remembered is in
// the view.
#ifndef ANYBIT_SCHEDULER_POLICY_H_
#define ANYBIT_SCHEDULER_POLICY_H_

#include <string_view>

#include "scheduler/decision.h"

namespace anybit::scheduler {

class SchedulingPolicy {
 public:
  virtual ~SchedulingPolicy() = default;

  // For logs and reports; where MakePolicy makes it, the name it accepts.
  virtual std::string_view name() const = 0;

  // Adds to `decision`, which is empty, what to run and what to refuse now. Asked only when a slot is idle and a
  // request waits. The caller may reuse the decision, so that in the long run nothing is allocated. Never blocks; any
  // thread.
  virtual void DecideInto(const SchedulerView& view, Decision& decision) const = 0;

  // The same, as a value.
  Decision Decide(const SchedulerView& view) const {
    Decision decision;
    DecideInto(view, decision);
    return decision;
  }
};

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_POLICY_H_
