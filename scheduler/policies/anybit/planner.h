// Fills a decision, one idle slot after another.
//
// For each slot, levels are tried from the most accurate point down: the first batch behind which everything else can
// be in time (LookAhead) runs. If no level passes there is overload, and the batch that earns most for its time runs.
// A request that no batch can serve is refused.
#ifndef ANYBIT_SCHEDULER_POLICIES_ANYBIT_PLANNER_H_
#define ANYBIT_SCHEDULER_POLICIES_ANYBIT_PLANNER_H_

#include "scheduler/decision.h"
#include "scheduler/policies/anybit/anybit_options.h"

namespace anybit::scheduler {

// `decision` is empty.
void PlanInto(const SchedulerView& view, const AnybitOptions& options, Decision& decision);

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_POLICIES_ANYBIT_PLANNER_H_
