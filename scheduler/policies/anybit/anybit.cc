#include "scheduler/policies/anybit/anybit.h"

#include "scheduler/policies/anybit/planner.h"

namespace anybit {

void Anybit::DecideInto(const SchedulerView& view, Decision& decision) const {
  Planner(view, options_, decision).PlanAll();
}

}  // namespace anybit
