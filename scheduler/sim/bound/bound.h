// The clairvoyant bound: the utility that no schedule exceeds, although it knew all arrivals and latencies.
//
// Utility is the sum of accuracies over requests answered by their deadlines. With one slot, deadlines in the order
// of arrivals and the same allowed points for all, the optimum lies between a schedule found and a bound proven, most
// often less than 0.05 % apart. Otherwise the least of several relaxations, each proven in bound.cc, is above every
// schedule.
#ifndef ANYBIT_SCHEDULER_SIM_BOUND_BOUND_H_
#define ANYBIT_SCHEDULER_SIM_BOUND_BOUND_H_

#include <span>

#include "scheduler/latency/profile.h"
#include "scheduler/sim/traces/offered_request.h"

namespace anybit::scheduler::sim {

struct UtilityBound {
  double sum = 0;       // of accuracies over requests answered in time; no schedule does better
  bool exact = false;   // some schedule attains it
  double attained = 0;  // by some schedule; 0 where none was looked for (several slots, mixed objectives or points)
};

// `profile` is valid and has the true latencies. Requests in any order; one that accepts no point earns nothing, one
// without a deadline may be answered at any time. `slots` >= 1. A batch may be padded: where more rows run faster,
// the bound uses that.
UtilityBound BoundUtility(const Profile& profile, std::span<const OfferedRequest> requests, int slots);

}  // namespace anybit::scheduler::sim

#endif  // ANYBIT_SCHEDULER_SIM_BOUND_BOUND_H_
