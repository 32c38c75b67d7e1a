#include "scheduler/sim/fleet_run.h"

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/arrivals/arrival_times.h"
#include "base/file.h"
#include "scheduler/sim/check_policies.h"
#include "scheduler/sim/fleet/day.h"
#include "scheduler/sim/fleet/fleet.h"
#include "scheduler/sim/fleet/fleet_report.h"
#include "scheduler/sim/traces/load.h"

namespace anybit::scheduler::sim {
namespace {

constexpr double kDefaultLoad = 2;

absl::StatusOr<std::vector<RatePhase>> Phases(const SimulateOptions& options, double per_second) {
  if (options.azure.empty() && options.arrival_times.empty()) return DayPhases(per_second);
  const absl::StatusOr<std::vector<MonoTime>> instants =
      ReadRecording(options.arrival_times, options.azure, options.azure_part);
  if (!instants.ok()) return instants.status();
  if (instants->empty()) return absl::InvalidArgumentError("the recording has no arrival");
  return RecordedPhases(*instants, per_second);
}

std::string Caption(const SimulateOptions& options, double load) {
  const AutoscalerOptions& rule = options.fleet.autoscaler;
  return absl::StrFormat(
      "%g times the capacity of a replica's fastest point; %d to %d replicas, targets %s, start-up %g s", load,
      rule.min_replicas, rule.max_replicas, absl::StrJoin(rule.targets, ", "), ToSeconds(options.fleet.startup));
}

}  // namespace

absl::Status RunFleets(const SimulateOptions& options, const Profile& profile, std::ostream& out) {
  std::vector<std::string> policies = options.policies;
  if (policies.empty()) policies.push_back(FleetOptions().policy);
  if (absl::Status status = CheckPolicies(policies, profile); !status.ok()) return status;
  const double load = options.load.value_or(kDefaultLoad);
  FleetOptions fleet = options.fleet;
  fleet.objective = options.objective.value_or(DefaultObjective(profile));
  fleet.slots = options.simulation.slots;
  fleet.noise = options.simulation.noise;
  fleet.seed = options.seeds.front();
  const absl::StatusOr<std::vector<RatePhase>> phases = Phases(options, load * Capacity(profile, fleet.slots));
  if (!phases.ok()) return phases.status();
  const std::vector<MonoTime> arrivals =
      PoissonArrivals(Shortened(*phases, fleet.time_lapse), MonoTime(), options.seeds.front());
  std::vector<FleetReport> reports;
  for (const std::string& policy : policies) {
    fleet.policy = policy;
    absl::StatusOr<FleetResult> result = RunFleet(profile, arrivals, LengthOf(*phases), fleet);
    if (!result.ok()) return result.status();
    reports.push_back({.policy = policy, .result = *std::move(result)});
  }
  out << (options.json ? FleetJson(reports) : FleetTable(reports));
  if (options.timeline.empty()) return absl::OkStatus();
  return ReplaceFile(options.timeline, FleetFigure(reports, Caption(options, load)));
}

}  // namespace anybit::scheduler::sim
