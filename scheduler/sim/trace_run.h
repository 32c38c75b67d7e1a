// Runs the policies of the options on one trace and prints their numbers.
#ifndef ANYBIT_SCHEDULER_SIM_TRACE_RUN_H_
#define ANYBIT_SCHEDULER_SIM_TRACE_RUN_H_

#include <ostream>

#include "absl/status/status.h"
#include "scheduler/latency/profile.h"
#include "scheduler/sim/simulate_options.h"

namespace anybit::scheduler::sim {

// InvalidArgument or NotFound for wrong options or files, Unavailable where a result cannot be written.
absl::Status RunTrace(const SimulateOptions& options, const Profile& profile, std::ostream& out);

}  // namespace anybit::scheduler::sim

#endif  // ANYBIT_SCHEDULER_SIM_TRACE_RUN_H_
