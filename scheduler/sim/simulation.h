// One run of the production scheduler in virtual time: offered requests in, what became of each out.
//
// The engine, its admission control, its latency model and the policy are the ones that serve; only time, the network
// and the world around them (WorldOptions) are simulated. Equal arguments give equal results, but for the decision
// times, which are measured.
#ifndef ANYBIT_SCHEDULER_SIM_SIMULATION_H_
#define ANYBIT_SCHEDULER_SIM_SIMULATION_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/time.h"
#include "scheduler/latency/profile.h"
#include "scheduler/request.h"
#include "scheduler/scheduler.h"
#include "scheduler/sim/traces/offered_request.h"
#include "scheduler/sim/world/world_options.h"

namespace anybit::scheduler::sim {

struct SimulationOptions {
  std::string policy = "anybit";  // a name of scheduler/policies/registry.h
  int slots = 1;
  double noise = 0;                  // 0..0.999; batches take their true latencies * [1 - noise, 1 + noise], uniform
  double profile_ratio = 1;          // above 0; the scheduler is shown the true latencies * profile_ratio
  std::vector<double> point_ratios;  // the same of single points, times profile_ratio; beyond its end: 1
  uint64_t seed = 0;                 // of the noise
  bool time_decisions = false;       // reads a clock around each decision; nothing depends on what it says
  SchedulerOptions scheduler;
  WorldOptions world;
};

// What became of one request. A request that no point is accurate enough for is refused, so kShed.
struct RequestRecord {
  OutcomeKind kind = OutcomeKind::kFailed;
  bool in_time = false;  // served, and answered by its deadline
  PointId point{};       // this and the rest: of the served
  int batch_rows = 0;    // of the batch it ran in
  MonoTime start{};      // of that batch
  MonoTime finish{};
  MonoTime answered{};  // when the answer reached the caller; in the ideal world that is `finish`
};

struct BatchRecord {
  MonoTime start{};
  int slot = 0;
  PointId point{};
  int rows = 0;
};

struct SimulationResult {
  std::vector<RequestRecord> requests;  // one for each offered request, in the same order
  std::vector<BatchRecord> batches;     // by start
  std::vector<int32_t> decision_ns;     // of each decision, if they were timed
  int64_t replaced_decisions = 0;       // of a policy that broke the rules, see Check
};

// Each request has one row. InvalidArgument for requests that are not in order of arrival, an unknown policy and
// numbers out of range. `true_profile` is valid.
absl::StatusOr<SimulationResult> Simulate(const Profile& true_profile, std::span<const OfferedRequest> requests,
                                          const SimulationOptions& options);

}  // namespace anybit::scheduler::sim

#endif  // ANYBIT_SCHEDULER_SIM_SIMULATION_H_
