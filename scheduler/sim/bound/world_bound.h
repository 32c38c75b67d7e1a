// What a load of 1 and the bound on utility are in the world that is simulated.
#ifndef ANYBIT_SCHEDULER_SIM_BOUND_WORLD_BOUND_H_
#define ANYBIT_SCHEDULER_SIM_BOUND_WORLD_BOUND_H_

#include <span>

#include "scheduler/latency/profile.h"
#include "scheduler/sim/bound/bound.h"
#include "scheduler/sim/traces/offered_request.h"
#include "scheduler/sim/world/world_options.h"

namespace anybit::scheduler::sim {

// Requests per second that are served if all run the fastest point in its best batches. In the server's world each also
// takes its receiving and its answer; stalls are not counted.
double CapacityIn(const WorldOptions& world, const Profile& profile, int slots);

// In the ideal world BoundUtility. In the server's world the less of that and of what processor time allows from the
// first arrival to the last deadline, where a request that is not served costs its receiving and its refusal:
//
//   maximise sum n_p * accuracy_p  with  sum n_p * (cost_p + receive + answer) + n_0 * (receive + refuse) <= time,
//   sum n_p + n_0 = requests
//
// with cost_p the least time per row. That is not strict: the noise of batches may help, and a call whose client gives
// up before it is received needs no refusal. `profile` is valid, `slots` >= 1.
UtilityBound BoundUtilityIn(const WorldOptions& world, const Profile& profile, std::span<const OfferedRequest> requests,
                            int slots);

}  // namespace anybit::scheduler::sim

#endif  // ANYBIT_SCHEDULER_SIM_BOUND_WORLD_BOUND_H_
