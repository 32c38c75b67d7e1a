// The command line of anybit-simulate as values: the trace, the server, and the output.
#ifndef ANYBIT_SCHEDULER_SIM_SIMULATE_OPTIONS_H_
#define ANYBIT_SCHEDULER_SIM_SIMULATE_OPTIONS_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/arrivals/arrival_times.h"
#include "base/time.h"
#include "scheduler/sim/fleet/fleet.h"
#include "scheduler/sim/simulation.h"

namespace anybit::scheduler::sim {

struct SimulateOptions {
  std::string profile;
  std::string workloads = "poisson";
  std::vector<uint64_t> seeds = {1};
  std::optional<double> load;
  std::vector<double> loads = {0.3, 0.5, 0.7, 0.85, 1, 1.2, 1.5, 2, 3};
  std::optional<int64_t> requests;
  std::string arrivals;
  std::string arrival_times;
  std::string azure;
  AzureOptions azure_part;
  std::optional<Duration> objective;  // unset: DefaultObjective()
  std::vector<std::string> policies;  // none: the default one, or all in a sweep
  SimulationOptions simulation;
  bool json = false;
  bool bound = true;
  std::string outcomes;
  std::string save_arrivals;
  std::string timeline;
  bool sweep = false;
  std::string out;
  int jobs = 1;
  bool run_fleet = false;
  FleetOptions fleet;  // its time and rule; the rest is that of the other flags
  std::string answer;  // the text of --help: to be printed in place of a run

  bool server_world() const { return simulation.world.world == World::kServer; }
};

// InvalidArgument, naming the flag and the value, for what is not acceptable by itself or beside another flag.
absl::StatusOr<SimulateOptions> ParseSimulateOptions(std::span<const std::string> arguments);

}  // namespace anybit::scheduler::sim

#endif  // ANYBIT_SCHEDULER_SIM_SIMULATE_OPTIONS_H_
