#include "scheduler/sim/sweep_run.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/arrivals/workloads.h"
#include "base/file.h"
#include "scheduler/policies/registry.h"
#include "scheduler/sim/check_policies.h"
#include "scheduler/sim/sweep.h"
#include "scheduler/sim/sweep_report.h"
#include "scheduler/sim/traces/load.h"

namespace anybit::scheduler::sim {
namespace {

constexpr int kTimelineBins = 60;

std::string Milliseconds(Duration duration) { return absl::StrFormat("%g ms", 1e3 * ToSeconds(duration)); }

std::vector<std::string> WorkloadsOf(const SimulateOptions& command) {
  if (command.workloads != "all") return absl::StrSplit(command.workloads, ',');
  return {WorkloadNames().begin(), WorkloadNames().end()};
}

// The figures, by file name.
std::vector<std::pair<std::string, std::string>> SweepFigures(const SweepOptions& options, const Profile& profile,
                                                              std::span<const SweepRun> runs,
                                                              const std::string& setting) {
  std::vector<std::pair<std::string, std::string>> figures;
  const std::string axis = absl::StrCat("over the load, as a multiple of the fastest point's capacity; ", setting);
  if (options.workloads.size() > 1) {
    figures.emplace_back("sweep.svg",
                         SweepFigure(runs, absl::StrCat("mean of ", options.workloads.size(), " workloads ", axis)));
  }
  // The load at which there is most to choose.
  const double middle = *std::min_element(options.loads.begin(), options.loads.end(), [](double a, double b) {
    return std::abs(std::log(a)) < std::abs(std::log(b));
  });
  for (const std::string& workload : options.workloads) {
    std::vector<SweepRun> of_workload;
    for (const SweepRun& run : runs) {
      if (run.workload == workload) of_workload.push_back(run);
    }
    figures.emplace_back(absl::StrCat("sweep-", workload, ".svg"),
                         SweepFigure(of_workload, absl::StrCat(workload, " ", axis)));
    const auto shown = std::find_if(of_workload.begin(), of_workload.end(), [&](const SweepRun& run) {
      return run.load == middle && run.policy == options.policies.front();
    });
    figures.emplace_back(
        absl::StrCat("points-", workload, ".svg"),
        TimelineFigure(profile.points, shown->timeline,
                       absl::StrCat(shown->policy, " on ", workload, " at load ", shown->load, "; ", setting)));
  }
  return figures;
}

}  // namespace

absl::Status RunSweepIntoFolder(const SimulateOptions& command, const Profile& profile, std::ostream& out) {
  SweepOptions options{.workloads = WorkloadsOf(command),
                       .loads = command.loads,
                       .seeds = command.seeds,
                       .policies = command.policies,
                       .requests = static_cast<int>(command.requests.value_or(20'000)),
                       .objective = command.objective.value_or(DefaultObjective(profile)),
                       .bound = command.bound,
                       .jobs = command.jobs,
                       .timeline_bins = kTimelineBins,
                       .simulation = command.simulation};
  if (options.policies.empty()) options.policies = PolicyNames(profile.points);
  if (absl::Status status = CheckPolicies(options.policies, profile); !status.ok()) return status;
  // Before anything runs for long.
  for (const std::string& workload : options.workloads) {
    if (absl::Status status = CheckWorkload(workload); !status.ok()) return status;
  }
  const std::filesystem::path directory = command.out;
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) return absl::UnavailableError(absl::StrCat(command.out, " cannot be made: ", error.message()));

  const absl::StatusOr<std::vector<SweepRun>> runs = RunSweep(profile, options);
  if (!runs.ok()) return runs.status();
  const std::string setting =
      absl::StrCat(std::filesystem::path(command.profile).filename().string(), ", ", options.simulation.slots,
                   options.simulation.slots == 1 ? " slot" : " slots", ", objective ", Milliseconds(options.objective),
                   command.server_world() ? ", the server's world" : "");
  std::vector<std::pair<std::string, std::string>> files = {
      {"sweep.csv", SweepCsv(*runs)},
      {"sweep.md", SweepMarkdown(absl::StrCat("Policies on ", setting, ", ", options.requests, " requests, seeds ",
                                              absl::StrJoin(options.seeds, ", ")),
                                 *runs)}};
  for (auto& figure : SweepFigures(options, profile, *runs, setting)) files.push_back(std::move(figure));
  for (const auto& [name, text] : files) {
    if (absl::Status status = ReplaceFile(directory / name, text); !status.ok()) return status;
  }
  out << setting << ", " << runs->size() << " runs of " << options.requests << " requests\n"
      << PolicyTable(*runs) << "wrote " << files.size() << " files to " << command.out << "\n";
  return absl::OkStatus();
}

}  // namespace anybit::scheduler::sim
