#include "scheduler/sim/simulate_command.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "scheduler/latency/profile_json.h"
#include "scheduler/sim/fleet_run.h"
#include "scheduler/sim/simulate_options.h"
#include "scheduler/sim/sweep_run.h"
#include "scheduler/sim/trace_run.h"

namespace anybit::scheduler::sim {
namespace {

absl::Status Run(const SimulateOptions& options, std::ostream& out) {
  const absl::StatusOr<Profile> profile = ReadProfileJson(options.profile);
  if (!profile.ok()) return profile.status();
  if (options.run_fleet) return RunFleets(options, *profile, out);
  return options.sweep ? RunSweepIntoFolder(options, *profile, out) : RunTrace(options, *profile, out);
}

}  // namespace

int RunSimulateCommand(std::span<const std::string> arguments, std::ostream& out, std::ostream& err) {
  const absl::StatusOr<SimulateOptions> options = ParseSimulateOptions(arguments);
  if (!options.ok()) {
    err << "anybit-simulate: " << options.status().message() << "\n";
    return 2;
  }
  if (!options->answer.empty()) {
    out << options->answer;
    return 0;
  }
  const absl::Status status = Run(*options, out);
  if (status.ok()) return 0;
  err << "anybit-simulate: " << status.message() << "\n";
  return absl::IsUnavailable(status) || absl::IsInternal(status) ? 1 : 2;
}

}  // namespace anybit::scheduler::sim
