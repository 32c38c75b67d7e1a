#include "scheduler/policies/anybit/anybit.h"

#include "scheduler/policies/anybit/planner.h"

namespace anybit::scheduler {

void Anybit::DecideInto(const SchedulerView& view, Decision& decision) const { PlanInto(view, options_, decision); }

}  // namespace anybit::scheduler
