// A day of a fleet in virtual time: replicas behind a balancer that takes them in turn, sized by an autoscaler.
//
// Each replica is the production scheduler with a simulated runner, in the ideal world (WorldOptions). The autoscaler
// reads what Prometheus would know of the replicas. A new replica takes requests after its start-up; one that is
// removed takes no more and ends when it has answered those that it has.
//
// A day in full would be a billion requests. `time_lapse` shortens all that is far slower than a request: the day, the
// start-up, the scrapes, and the periods and windows of the autoscaler. With 120 a day takes twelve minutes of virtual
// time. Rates, deadlines, latencies and targets stay as they are. Results are in the day's own time.
#ifndef ANYBIT_SCHEDULER_SIM_FLEET_FLEET_H_
#define ANYBIT_SCHEDULER_SIM_FLEET_FLEET_H_

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/time.h"
#include "scheduler/latency/profile.h"
#include "scheduler/sim/fleet/autoscaler.h"

namespace anybit::scheduler::sim {

struct FleetOptions {
  std::string policy = "anybit";
  AutoscalerOptions autoscaler;  // has kFleetSignals targets, see replica.h
  Duration startup = std::chrono::seconds(60);
  Duration scrape_period = std::chrono::seconds(15);  // also of the autoscaler
  Duration interval = std::chrono::minutes(5);        // of the result
  Duration objective = std::chrono::milliseconds(50);
  int slots = 1;  // of a replica
  double noise = 0;
  uint64_t seed = 0;
  double time_lapse = 120;
};

// What happened in a part of the day. Requests count where they arrived.
struct FleetInterval {
  double hours = 0;  // its length
  int64_t offered = 0;
  int64_t attained = 0;
  double accuracy_sum = 0;   // over the attained
  double replica_hours = 0;  // from the decision to start until the last answer

  double replicas() const { return replica_hours / hours; }
  // Of what was offered, and of what was attained; 1 and 0 if that is nothing.
  double attainment() const { return offered > 0 ? static_cast<double>(attained) / static_cast<double>(offered) : 1; }
  double accuracy() const { return attained > 0 ? accuracy_sum / static_cast<double>(attained) : 0; }
};

struct FleetResult {
  std::vector<FleetInterval> intervals;
  FleetInterval total;
  int most_replicas = 0;
  int64_t started = 0;  // replicas, but for the first ones
};

// `arrivals` are those of the shortened day, ascending, and not empty; it begins at MonoTime() and has the length
// `day` / time_lapse. It starts with the autoscaler's least replicas, which are ready.
absl::StatusOr<FleetResult> RunFleet(const Profile& profile, std::span<const MonoTime> arrivals, Duration day,
                                     const FleetOptions& options);

}  // namespace anybit::scheduler::sim

#endif  // ANYBIT_SCHEDULER_SIM_FLEET_FLEET_H_
