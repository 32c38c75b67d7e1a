// A run of anybit-simulate over a day of a fleet.
#ifndef ANYBIT_SCHEDULER_SIM_FLEET_RUN_H_
#define ANYBIT_SCHEDULER_SIM_FLEET_RUN_H_

#include <ostream>

#include "absl/status/status.h"
#include "scheduler/latency/profile.h"
#include "scheduler/sim/simulate_options.h"

namespace anybit::scheduler::sim {

// Prints a table or JSON, and writes the figure if the options name one.
absl::Status RunFleets(const SimulateOptions& options, const Profile& profile, std::ostream& out);

}  // namespace anybit::scheduler::sim

#endif  // ANYBIT_SCHEDULER_SIM_FLEET_RUN_H_
