// The optimum of ordered requests on one slot, between a schedule found and a bound proven.
#ifndef ANYBIT_SCHEDULER_SIM_BOUND_OPTIMUM_H_
#define ANYBIT_SCHEDULER_SIM_BOUND_OPTIMUM_H_

#include "scheduler/sim/bound/problem.h"

namespace anybit::scheduler::sim::bound {

struct Optimum {
  Gain bound = 0;
  Gain attained = 0;
};

// `bound` is one known already.
Optimum OptimumOf(const Ordered& problem, Gain bound);

}  // namespace anybit::scheduler::sim::bound

#endif  // ANYBIT_SCHEDULER_SIM_BOUND_OPTIMUM_H_
