// Policies against each other: each on the same traces, over workloads, loads and seeds.
#ifndef ANYBIT_SCHEDULER_SIM_SWEEP_H_
#define ANYBIT_SCHEDULER_SIM_SWEEP_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/time.h"
#include "scheduler/latency/profile.h"
#include "scheduler/sim/bound/bound.h"
#include "scheduler/sim/simulation.h"
#include "scheduler/sim/summary.h"

namespace anybit::scheduler::sim {

struct SweepOptions {
  std::vector<std::string> workloads;
  std::vector<double> loads;  // of CapacityIn()
  std::vector<uint64_t> seeds;
  std::vector<std::string> policies;
  int requests = 20000;  // of each trace
  Duration objective{};  // of each request
  bool bound = true;     // computed for each trace
  int jobs = 1;          // threads; at least 1
  int timeline_bins = 60;
  SimulationOptions simulation;  // but for policy and seed
};

struct SweepRun {
  std::string workload;
  double load = 0;
  uint64_t seed = 0;
  std::string policy;
  Summary summary;
  std::optional<UtilityBound> bound;  // of the trace
  Timeline timeline;
};

// utility_sum / bound; none without a bound, or with one of 0.
std::optional<double> UtilityOverBound(const Summary& summary, const std::optional<UtilityBound>& bound);

// Every combination, by workload, load, seed and policy in the order given; `jobs` changes nothing but the time it
// takes. Or the first error. `profile` is valid.
absl::StatusOr<std::vector<SweepRun>> RunSweep(const Profile& profile, const SweepOptions& options);

}  // namespace anybit::scheduler::sim

#endif  // ANYBIT_SCHEDULER_SIM_SWEEP_H_
