// Runs policies on many traces and writes the tables and figures into a folder.
#ifndef ANYBIT_SCHEDULER_SIM_SWEEP_RUN_H_
#define ANYBIT_SCHEDULER_SIM_SWEEP_RUN_H_

#include <ostream>

#include "absl/status/status.h"
#include "scheduler/latency/profile.h"
#include "scheduler/sim/simulate_options.h"

namespace anybit::scheduler::sim {

// InvalidArgument for wrong options, Unavailable where the folder or a file cannot be written.
absl::Status RunSweepIntoFolder(const SimulateOptions& options, const Profile& profile, std::ostream& out);

}  // namespace anybit::scheduler::sim

#endif  // ANYBIT_SCHEDULER_SIM_SWEEP_RUN_H_
