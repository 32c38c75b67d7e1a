// How much a load is and how long an objective: both measured by what a profile can do. And requests made of them.
#ifndef ANYBIT_SCHEDULER_SIM_TRACES_LOAD_H_
#define ANYBIT_SCHEDULER_SIM_TRACES_LOAD_H_

#include <span>
#include <vector>

#include "base/time.h"
#include "scheduler/latency/profile.h"
#include "scheduler/sim/traces/offered_request.h"

namespace anybit::scheduler::sim {

// Requests per second that `slots` slots serve if all run the fastest point in its best batches; a load of 1 offers as
// many. The profile is valid.
double Capacity(const Profile& profile, int slots);

// Two and a half times what the most accurate point (the fastest of these) takes for a batch of max_batch rows: enough
// that a request which just missed such a batch can wait for it and be in the next. In whole milliseconds, rounded up.
Duration DefaultObjective(const Profile& profile);

// One request at each of the ascending `arrivals`, numbered from 0, to be answered within `objective`, without a floor.
std::vector<OfferedRequest> RequestsAt(std::span<const MonoTime> arrivals, Duration objective);

}  // namespace anybit::scheduler::sim

#endif  // ANYBIT_SCHEDULER_SIM_TRACES_LOAD_H_
