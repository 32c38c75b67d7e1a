// A random but reproducible world: profile, slots, policy, weights and shares, arrivals with deadlines, floors, rows
// and cancellations.
#ifndef ANYBIT_TESTS_SIMULATION_WORKLOAD_H_
#define ANYBIT_TESTS_SIMULATION_WORKLOAD_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "scheduler/latency/profile.h"
#include "scheduler/scheduler.h"
#include "scheduler/sim/world/sim_runner.h"
#include "scheduler/testing/rig.h"

namespace anybit::simulation {

struct WorkloadRequest {
  MonoTime arrival{};
  MonoTime deadline = kNever;
  scheduler::PointSet allowed;
  scheduler::SlaClassId sla_class{};
  scheduler::TenantId tenant{};
  int rows = 1;
  std::optional<MonoTime> cancel_at;
};

struct Workload {
  scheduler::Profile profile;
  std::string policy;
  scheduler::sim::SimRunnerOptions runner;
  scheduler::SchedulerOptions options;
  std::vector<WorkloadRequest> requests;  // by arrival; a request's tag is its index
  std::optional<MonoTime> drain_at;
};

// All of it from the seed. Times are whole microseconds.
Workload RandomWorkload(uint64_t seed);

// The same world with every time multiplied.
Workload Scaled(Workload workload, int factor);

// A rig in which all of the workload is set to happen; `drained` counts the ends of draining.
std::unique_ptr<scheduler::testing::Rig> Prepare(const Workload& workload, int& drained);

}  // namespace anybit::simulation

#endif  // ANYBIT_TESTS_SIMULATION_WORKLOAD_H_
