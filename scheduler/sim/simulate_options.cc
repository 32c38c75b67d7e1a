#include "scheduler/sim/simulate_options.h"

#include <algorithm>
#include <chrono>
#include <ratio>
#include <thread>
#include <utility>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/command_line.h"
#include "base/flag_types.h"
#include "base/version.h"

using LoadFlag = anybit::RealNumber<std::micro, std::kilo>;
using RequestsFlag = anybit::WholeNumber<1, 100'000'000>;
using MinuteFlag = anybit::WholeNumber<0, 1'000'000>;
using MinutesFlag = anybit::WholeNumber<1, 1'000'000>;
using CountFlag = anybit::WholeNumber<1, 1024>;
using NoiseFlag = anybit::RealNumber<std::ratio<0>, std::ratio<999, 1000>>;
using ReplicasFlag = anybit::WholeNumber<1, 1000>;
using StartupFlag = anybit::RealNumber<std::ratio<0>, std::ratio<3600>>;
using LapseFlag = anybit::RealNumber<std::ratio<1>, std::ratio<1000>>;
using RatioFlag = anybit::RealNumber<std::milli, std::kilo>;

ABSL_FLAG(std::string, profile, "", "latencies and accuracies, a JSON file as anybit-server --save_profile writes it");
ABSL_FLAG(std::string, workload, "",
          "a generated trace, by default poisson; a wrong name lists all; for --sweep NAME[,NAME] or all");
ABSL_FLAG(std::string, seed, "1", "of the workload and the noise; for --sweep N[,N]");
ABSL_FLAG(
    std::optional<LoadFlag>, load, std::nullopt,
    "offered requests as a multiple of the fastest point's capacity, by default 0.8; given with --arrival_times or "
    "--azure, it stretches the times to that load; of --fleet the day's peak (of a recording the mean) as a multiple "
    "of "
    "one replica's capacity, by default 2");
ABSL_FLAG(std::optional<RequestsFlag>, requests, std::nullopt,
          "how many requests, by default 20000; of a file: the first ones");
ABSL_FLAG(std::string, arrivals, "",
          "in place of a workload, the requests of a CSV file: "
          "id,arrival_us,deadline_us,min_accuracy[,sla_class][,tenant]");
ABSL_FLAG(std::string, arrival_times, "",
          "in place of a workload, requests at the times in this file, in milliseconds, one a line");
ABSL_FLAG(std::string, azure, "",
          "in place of a workload, the invocations of an Azure Functions trace of 2019: FILE[,FILE], a file a day");
ABSL_FLAG(MinuteFlag, azure_first, 0, "the first minute of the Azure trace to take");
ABSL_FLAG(MinutesFlag, azure_minutes, 60, "how many minutes of the Azure trace to take");
ABSL_FLAG(std::string, objective, "",
          "arrival to deadline, such as 40ms; by default 2.5 full batches of the most accurate point");
ABSL_FLAG(std::string, world, "ideal",
          "ideal: only batches take time; server: receiving, refusing and answering calls take processor time from the "
          "slots, answers travel, batches vary and stall, and --load and the bound are of that world");
ABSL_FLAG(std::string, policy, "", "NAME[,NAME]; a wrong name lists all");
ABSL_FLAG(CountFlag, slots, 1, "batches that run at once");
ABSL_FLAG(NoiseFlag, noise, 0, "latencies vary by up to this share");
ABSL_FLAG(RatioFlag, profile_ratio, 1, "the scheduler believes all latencies to be this multiple of the true ones");
ABSL_FLAG(std::string, point_ratios, "", "X[,X]: as --profile_ratio, of single points, in the profile's order");
ABSL_FLAG(bool, json, false, "a JSON object for each policy instead of the table");
ABSL_FLAG(bool, bound, true, "compute the clairvoyant bound");
ABSL_FLAG(std::string, outcomes, "",
          "CSV file to write, the outcome of each request: id,outcome,point,batch,start_us,finish_us");
ABSL_FLAG(std::string, save_arrivals, "", "CSV file to write: the trace, as --arrivals reads it");
ABSL_FLAG(std::string, timeline, "", "SVG file to write: the operating points over time, or the fleet over the day");
ABSL_FLAG(bool, sweep, false,
          "every policy (or those of --policy) at every load; writes sweep.md, sweep.csv and figures");
ABSL_FLAG(std::string, out, "", "the folder that --sweep writes to");
ABSL_FLAG(std::string, loads, "", "X[,X] for --sweep, by default 0.3,0.5,0.7,0.85,1,1.2,1.5,2,3");
ABSL_FLAG(std::optional<CountFlag>, jobs, std::nullopt, "threads of --sweep; by default all that the machine has");

ABSL_FLAG(bool, fleet, false,
          "a day of replicas that an autoscaler adds and removes as deploy/k8s says; --azure and --arrival_times give "
          "the day's course by the minute");
ABSL_FLAG(ReplicasFlag, min_replicas, 2, "least replicas of --fleet");
ABSL_FLAG(ReplicasFlag, max_replicas, 10, "most replicas of --fleet");
ABSL_FLAG(StartupFlag, startup, 60, "seconds until a new replica of --fleet serves");
ABSL_FLAG(std::string, targets, "0.02,0.25,0.7",
          "of --fleet, for each replica: seconds of queued work, share of accuracy given up, load at full accuracy");
ABSL_FLAG(LapseFlag, time_lapse, 120, "of --fleet: how much faster than a request the day and the autoscaler pass");

namespace anybit::scheduler::sim {
namespace {

constexpr double kMaxLoad = 1000;

ProgramDescription Program() {
  return {
      .usage = "anybit-simulate --profile=FILE.json [FLAG...]",
      .about =
          "Runs the production scheduler in virtual time on one trace of requests, or on many (--sweep), and reports "
          "the outcome.",
      .sections = {{.title = "", .flags = {"profile"}},
                   {.title = "the trace",
                    .flags = {"workload", "seed", "load", "requests", "arrivals", "arrival_times", "azure",
                              "azure_first", "azure_minutes", "objective"}},
                   {.title = "the server",
                    .flags = {"world", "policy", "slots", "noise", "profile_ratio", "point_ratios"}},
                   {.title = "output", .flags = {"json", "bound", "outcomes", "save_arrivals", "timeline"}},
                   {.title = "a fleet",
                    .flags = {"fleet", "min_replicas", "max_replicas", "startup", "targets", "time_lapse"}},
                   {.title = "many traces", .flags = {"sweep", "out", "loads", "jobs"}}},
      .footer = "exit status: 0 it ran, 1 a result could not be written, 2 wrong usage or input",
      .version = absl::StrCat("anybit-simulate ", kVersion)};
}

absl::StatusOr<Duration> ParseObjective(const std::string& text) {
  absl::Duration duration;
  if (!absl::ParseDuration(text, &duration) || duration < absl::Microseconds(1) || duration > absl::Hours(24)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--objective takes a duration from 1us to 24h, such as 40ms, not '", text, "'"));
  }
  return absl::ToChronoNanoseconds(duration);
}

absl::StatusOr<std::vector<double>> ParseLoads(const std::string& text) {
  std::vector<double> loads;
  for (const absl::string_view part : absl::StrSplit(text, ',')) {
    double load;
    if (!absl::SimpleAtod(part, &load) || !(load > 0 && load <= kMaxLoad)) {
      return absl::InvalidArgumentError(
          absl::StrCat("--loads takes numbers above 0 and at most ", kMaxLoad, ", not '", part, "'"));
    }
    loads.push_back(load);
  }
  return loads;
}

// The fleet's rule from the flags.
absl::StatusOr<FleetOptions> ParseFleet() {
  FleetOptions fleet;
  AutoscalerOptions& rule = fleet.autoscaler;
  rule.min_replicas = static_cast<int>(absl::GetFlag(FLAGS_min_replicas));
  rule.max_replicas = static_cast<int>(absl::GetFlag(FLAGS_max_replicas));
  if (rule.max_replicas < rule.min_replicas) {
    return absl::InvalidArgumentError(
        absl::StrCat("--max_replicas ", rule.max_replicas, " is below --min_replicas ", rule.min_replicas));
  }
  const std::string text = absl::GetFlag(FLAGS_targets);
  for (const absl::string_view part : absl::StrSplit(text, ',')) {
    double& target = rule.targets.emplace_back();
    if (!absl::SimpleAtod(part, &target) || !(target > 0)) rule.targets.clear();
    if (rule.targets.empty()) break;
  }
  if (rule.targets.size() != 3) {
    return absl::InvalidArgumentError(absl::StrCat("--targets takes three numbers above 0, not '", text, "'"));
  }
  fleet.startup = std::chrono::nanoseconds(static_cast<int64_t>(absl::GetFlag(FLAGS_startup) * 1e9));
  fleet.time_lapse = absl::GetFlag(FLAGS_time_lapse);
  return fleet;
}

absl::StatusOr<std::vector<uint64_t>> ParseSeeds(const std::string& text) {
  std::vector<uint64_t> seeds;
  for (const absl::string_view part : absl::StrSplit(text, ',')) {
    uint64_t& seed = seeds.emplace_back();
    if (!absl::SimpleAtoi(part, &seed)) {
      return absl::InvalidArgumentError(absl::StrCat("--seed takes whole numbers from 0 on, not '", part, "'"));
    }
  }
  return seeds;
}

absl::StatusOr<World> ParseWorld(const std::string& text) {
  if (text == "ideal") return World::kIdeal;
  if (text == "server") return World::kServer;
  return absl::InvalidArgumentError(absl::StrCat("--world takes ideal or server, not '", text, "'"));
}

// Whether options are given together that exclude one another, or without one that they need.
absl::Status CheckTogether(const SimulateOptions& options, bool loads_given, bool workload_given) {
  if (options.profile.empty()) return absl::InvalidArgumentError("--profile is missing");
  const int files = !options.arrivals.empty() + !options.arrival_times.empty() + !options.azure.empty();
  if (files + workload_given > 1) {
    return absl::InvalidArgumentError("only one of --workload, --arrivals, --arrival_times and --azure can be given");
  }
  if (options.run_fleet && (options.sweep || workload_given || !options.arrivals.empty() || options.requests ||
                            !options.outcomes.empty() || !options.save_arrivals.empty() || options.server_world())) {
    return absl::InvalidArgumentError(
        "--fleet takes --azure, --arrival_times or its own day, in the ideal world, and writes --timeline: no --sweep, "
        "--workload, --arrivals, --requests, --world, --outcomes or --save_arrivals");
  }
  if (options.sweep) {
    if (options.out.empty()) return absl::InvalidArgumentError("--sweep needs --out DIR");
    if (files > 0) return absl::InvalidArgumentError("--sweep makes its traces itself: it takes --workload, no file");
    if (options.load) return absl::InvalidArgumentError("--sweep takes --loads, not --load");
    if (options.json || !options.outcomes.empty() || !options.save_arrivals.empty() || !options.timeline.empty()) {
      return absl::InvalidArgumentError("--sweep takes no --json, --outcomes, --save_arrivals or --timeline");
    }
    return absl::OkStatus();
  }
  if (!options.out.empty()) return absl::InvalidArgumentError("--out is for --sweep");
  if (loads_given) return absl::InvalidArgumentError("--loads is for --sweep; --load takes one");
  if (options.seeds.size() > 1) {
    return absl::InvalidArgumentError(absl::StrCat("one trace takes one --seed, not ", options.seeds.size()));
  }
  if (!options.arrivals.empty() && (options.load || options.objective)) {
    return absl::InvalidArgumentError(
        "--arrivals already contains arrival times and deadlines: it takes no --load and no --objective");
  }
  if (options.policies.size() > 1 && !options.run_fleet && (!options.outcomes.empty() || !options.timeline.empty())) {
    return absl::InvalidArgumentError(
        absl::StrCat("--outcomes and --timeline are of one policy, not of ", options.policies.size()));
  }
  return absl::OkStatus();
}

// The flags whose values have a grammar of their own.
absl::Status ParseTexts(SimulateOptions& options) {
  if (const std::string text = absl::GetFlag(FLAGS_objective); !text.empty()) {
    const absl::StatusOr<Duration> objective = ParseObjective(text);
    if (!objective.ok()) return objective.status();
    options.objective = *objective;
  }
  if (const std::string text = absl::GetFlag(FLAGS_loads); !text.empty()) {
    absl::StatusOr<std::vector<double>> loads = ParseLoads(text);
    if (!loads.ok()) return loads.status();
    options.loads = *std::move(loads);
  }
  absl::StatusOr<std::vector<uint64_t>> seeds = ParseSeeds(absl::GetFlag(FLAGS_seed));
  if (!seeds.ok()) return seeds.status();
  options.seeds = *std::move(seeds);
  const absl::StatusOr<World> world = ParseWorld(absl::GetFlag(FLAGS_world));
  if (!world.ok()) return world.status();
  options.simulation.world.world = *world;
  const absl::StatusOr<FleetOptions> fleet = ParseFleet();
  if (!fleet.ok()) return fleet.status();
  options.fleet = *fleet;
  for (const absl::string_view part : absl::StrSplit(absl::GetFlag(FLAGS_point_ratios), ',', absl::SkipEmpty())) {
    double& ratio = options.simulation.point_ratios.emplace_back();
    if (!absl::SimpleAtod(part, &ratio)) {
      return absl::InvalidArgumentError(absl::StrCat("--point_ratios takes numbers, not '", part, "'"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<SimulateOptions> ParseSimulateOptions(std::span<const std::string> arguments) {
  const ProgramDescription program = Program();
  ResetFlags(program);
  const absl::StatusOr<CommandLine> line = ParseCommandLine(program, arguments);
  if (!line.ok()) return line.status();
  if (!line->answer.empty()) return SimulateOptions{.answer = line->answer};
  if (absl::Status status = ExpectNoWords(*line); !status.ok()) return status;

  const std::string workload = absl::GetFlag(FLAGS_workload), policy = absl::GetFlag(FLAGS_policy);
  SimulateOptions options{.profile = absl::GetFlag(FLAGS_profile),
                          .load = absl::GetFlag(FLAGS_load),
                          .requests = absl::GetFlag(FLAGS_requests),
                          .arrivals = absl::GetFlag(FLAGS_arrivals),
                          .arrival_times = absl::GetFlag(FLAGS_arrival_times),
                          .azure = absl::GetFlag(FLAGS_azure),
                          .json = absl::GetFlag(FLAGS_json),
                          .bound = absl::GetFlag(FLAGS_bound),
                          .outcomes = absl::GetFlag(FLAGS_outcomes),
                          .save_arrivals = absl::GetFlag(FLAGS_save_arrivals),
                          .timeline = absl::GetFlag(FLAGS_timeline),
                          .sweep = absl::GetFlag(FLAGS_sweep),
                          .out = absl::GetFlag(FLAGS_out),
                          .run_fleet = absl::GetFlag(FLAGS_fleet)};
  if (absl::Status status = ParseTexts(options); !status.ok()) return status;
  if (!workload.empty()) options.workloads = workload;
  if (!policy.empty()) options.policies = absl::StrSplit(policy, ',');
  options.azure_part = {.first_minute = static_cast<int>(absl::GetFlag(FLAGS_azure_first)),
                        .minutes = static_cast<int>(absl::GetFlag(FLAGS_azure_minutes)),
                        .seed = options.seeds.front()};
  options.simulation.slots = static_cast<int>(absl::GetFlag(FLAGS_slots));
  options.simulation.noise = absl::GetFlag(FLAGS_noise);
  options.simulation.profile_ratio = absl::GetFlag(FLAGS_profile_ratio);
  options.simulation.seed = options.seeds.front();
  const int64_t threads = std::max(1u, std::thread::hardware_concurrency());
  options.jobs = static_cast<int>(absl::GetFlag(FLAGS_jobs).value_or(threads));
  absl::Status status = CheckTogether(options, !absl::GetFlag(FLAGS_loads).empty(), !workload.empty());
  if (!status.ok()) return status;
  return options;
}

}  // namespace anybit::scheduler::sim
