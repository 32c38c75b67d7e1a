// A bound for any windows and several slots: requests share the slots like a fluid.
#ifndef ANYBIT_SCHEDULER_SIM_BOUND_FLUID_BOUND_H_
#define ANYBIT_SCHEDULER_SIM_BOUND_FLUID_BOUND_H_

#include <vector>

#include "scheduler/latency/profile.h"
#include "scheduler/sim/bound/problem.h"

namespace anybit::scheduler::sim::bound {

// Windows are by arrival and not empty.
Gain FluidBound(const Profile& profile, const std::vector<Window>& windows, int slots);

}  // namespace anybit::scheduler::sim::bound

#endif  // ANYBIT_SCHEDULER_SIM_BOUND_FLUID_BOUND_H_
