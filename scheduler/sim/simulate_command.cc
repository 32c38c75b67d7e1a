#include "scheduler/sim/simulate_command.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "client/argument_parser.h"
#include "client/json_line.h"
#include "scheduler/policies/registry.h"
#include "scheduler/sim/bound/bound.h"
#include "scheduler/sim/bound/world_bound.h"
#include "scheduler/sim/report.h"
#include "scheduler/sim/simulation.h"
#include "scheduler/sim/summary.h"
#include "scheduler/sim/sweep.h"
#include "scheduler/sim/sweep_report.h"
#include "scheduler/sim/traces/arrival_files.h"
#include "scheduler/sim/traces/load.h"
#include "scheduler/sim/traces/offered_request.h"
#include "scheduler/sim/traces/workloads.h"
#include "scheduler/sim/world_options.h"
#include "server/profile_file.h"

namespace anybit::sim {
namespace {

constexpr char kUsage[] =
    R"(usage: anybit-simulate --profile FILE.json [OPTION...]

Runs the production scheduler in virtual time on one trace of requests, or on many (--sweep), and tells how it did.

  --profile FILE.json    latencies and accuracies, as anybit-server --save_profile writes them
the trace:
  --workload NAME        a made one, default poisson; a wrong NAME lists them all
  --seed N               of the workload and the noise, default 1
  --load X               offered requests as a multiple of the fastest point's capacity, default 0.8
  --requests N           default 20000; of a file: the first N
  --arrivals FILE.csv    instead: these requests (id,arrival_us,deadline_us,min_accuracy[,sla_class][,tenant])
  --arrival_times FILE   instead: requests at these times (milliseconds, one a line)
  --azure FILE[,FILE]    instead: the invocations of an Azure Functions trace of 2019, a file a day
  --azure_first N, --azure_minutes N   which minutes of it; default 0 and 60
  --objective D          arrival to deadline, such as 40ms; default 2.5 full batches of the most accurate point
                         (--load, given with --arrival_times or --azure, stretches the times to that load)
the server:
  --world ideal|server   ideal, the default: only batches take time. server: receiving, refusing and answering calls
                         take processor time from the slots, answers are under way, batches vary and stall; --load and
                         the bound are of that world
  --policy NAME[,NAME]   a wrong NAME lists them all
  --slots N              batches that run at once, default 1
  --noise X              latencies vary by up to this share, default 0
  --profile_ratio X      the scheduler believes all latencies to be X times the true ones, default 1
  --point_ratios X[,X]   the same of single points, in the profile's order
output:
  --json                 a JSON object per policy instead of the table
  --bound false          leaves out the clairvoyant bound
  --outcomes FILE.csv    what became of each request: id,outcome,point,batch,start_us,finish_us
  --save_arrivals FILE.csv   the trace, as --arrivals reads it
  --timeline FILE.svg    the operating points over time
many traces:
  --sweep --out DIR      every policy (or --policy's) at every load; writes sweep.md, sweep.csv and figures
  --workload NAME[,NAME] or all
  --loads X[,X]          default 0.3,0.5,0.7,0.85,1,1.2,1.5,2,3
  --seed N[,N]
  --jobs N               threads; default: all the machine has
exit status: 0 it ran, 1 a result could not be written, 2 wrong usage or input
)";

constexpr int kTimelineBins = 60;
constexpr int64_t kMaxRequests = 100'000'000;
constexpr double kMaxLoad = 1000;

struct Command {
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
  bool help = false;
};

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

bool IsServerWorld(const Command& command) { return command.simulation.world.world == World::kServer; }

// Whether options are given together that exclude one another, or without one that they need.
absl::Status CheckTogether(const Command& command, bool loads_given, bool workload_given) {
  if (command.profile.empty()) return absl::InvalidArgumentError("--profile is missing");
  const int files = !command.arrivals.empty() + !command.arrival_times.empty() + !command.azure.empty();
  if (files + workload_given > 1) {
    return absl::InvalidArgumentError("only one of --workload, --arrivals, --arrival_times and --azure can be given");
  }
  if (command.sweep) {
    if (command.out.empty()) return absl::InvalidArgumentError("--sweep needs --out DIR");
    if (files > 0) return absl::InvalidArgumentError("--sweep makes its traces itself: it takes --workload, no file");
    if (command.load) return absl::InvalidArgumentError("--sweep takes --loads, not --load");
    if (command.json || !command.outcomes.empty() || !command.save_arrivals.empty() || !command.timeline.empty()) {
      return absl::InvalidArgumentError("--sweep takes no --json, --outcomes, --save_arrivals or --timeline");
    }
    return absl::OkStatus();
  }
  if (!command.out.empty()) return absl::InvalidArgumentError("--out is for --sweep");
  if (loads_given) return absl::InvalidArgumentError("--loads is for --sweep; --load takes one");
  if (command.seeds.size() > 1) {
    return absl::InvalidArgumentError(absl::StrCat("one trace takes one --seed, not ", command.seeds.size()));
  }
  if (!command.arrivals.empty() && (command.load || command.objective)) {
    return absl::InvalidArgumentError("--arrivals says when and until when: it takes no --load and no --objective");
  }
  if (command.policies.size() > 1 && (!command.outcomes.empty() || !command.timeline.empty())) {
    return absl::InvalidArgumentError(
        absl::StrCat("--outcomes and --timeline are of one policy, not of ", command.policies.size()));
  }
  return absl::OkStatus();
}

absl::StatusOr<Command> ParseCommand(std::span<const std::string> arguments) {
  Command command;
  std::string workloads, seeds, loads, objective, policies, point_ratios, world;
  std::string bound = "true";
  std::optional<int64_t> slots, first_minute, minutes, jobs;
  std::optional<double> noise, profile_ratio;
  ArgumentParser parser;
  parser.AddText("profile", &command.profile);
  parser.AddText("workload", &workloads);
  parser.AddText("seed", &seeds);
  parser.AddReal("load", 1e-6, kMaxLoad, &command.load);
  parser.AddText("loads", &loads);
  parser.AddInteger("requests", 1, kMaxRequests, &command.requests);
  parser.AddText("arrivals", &command.arrivals);
  parser.AddText("arrival_times", &command.arrival_times);
  parser.AddText("azure", &command.azure);
  parser.AddInteger("azure_first", 0, 1'000'000, &first_minute);
  parser.AddInteger("azure_minutes", 1, 1'000'000, &minutes);
  parser.AddText("objective", &objective);
  parser.AddText("policy", &policies);
  parser.AddInteger("slots", 1, 1024, &slots);
  parser.AddReal("noise", 0, 0.999, &noise);
  parser.AddReal("profile_ratio", 0.001, 1000, &profile_ratio);
  parser.AddText("point_ratios", &point_ratios);
  parser.AddText("world", &world);
  parser.AddSwitch("json", &command.json);
  parser.AddText("bound", &bound);
  parser.AddText("outcomes", &command.outcomes);
  parser.AddText("save_arrivals", &command.save_arrivals);
  parser.AddText("timeline", &command.timeline);
  parser.AddSwitch("sweep", &command.sweep);
  parser.AddText("out", &command.out);
  parser.AddInteger("jobs", 1, 1024, &jobs);
  parser.AddSwitch("help", &command.help);
  absl::StatusOr<std::vector<std::string>> words = parser.Parse(arguments);
  if (!words.ok()) return words.status();
  if (command.help) return command;
  if (!words->empty()) return absl::InvalidArgumentError(absl::StrCat("unexpected argument '", words->front(), "'"));

  if (!absl::SimpleAtob(bound, &command.bound)) {
    return absl::InvalidArgumentError(absl::StrCat("--bound takes true or false, not '", bound, "'"));
  }
  if (!objective.empty()) {
    const absl::StatusOr<Duration> parsed = ParseObjective(objective);
    if (!parsed.ok()) return parsed.status();
    command.objective = *parsed;
  }
  if (!loads.empty()) {
    absl::StatusOr<std::vector<double>> parsed = ParseLoads(loads);
    if (!parsed.ok()) return parsed.status();
    command.loads = *std::move(parsed);
  }
  if (!seeds.empty()) {
    absl::StatusOr<std::vector<uint64_t>> parsed = ParseSeeds(seeds);
    if (!parsed.ok()) return parsed.status();
    command.seeds = *std::move(parsed);
  }
  if (!world.empty()) {
    const absl::StatusOr<World> parsed = ParseWorld(world);
    if (!parsed.ok()) return parsed.status();
    command.simulation.world.world = *parsed;
  }
  if (!policies.empty()) command.policies = absl::StrSplit(policies, ',');
  if (!workloads.empty()) command.workloads = workloads;
  command.azure_part.first_minute = static_cast<int>(first_minute.value_or(command.azure_part.first_minute));
  command.azure_part.minutes = static_cast<int>(minutes.value_or(command.azure_part.minutes));
  command.azure_part.seed = command.seeds.front();
  command.simulation.slots = static_cast<int>(slots.value_or(1));
  command.simulation.noise = noise.value_or(0);
  command.simulation.profile_ratio = profile_ratio.value_or(1);
  for (const absl::string_view part : absl::StrSplit(point_ratios, ',', absl::SkipEmpty())) {
    double ratio = 0;
    if (!absl::SimpleAtod(part, &ratio)) {
      return absl::InvalidArgumentError(absl::StrCat("--point_ratios takes numbers, not '", part, "'"));
    }
    command.simulation.point_ratios.push_back(ratio);
  }
  command.simulation.seed = command.seeds.front();
  command.jobs = static_cast<int>(jobs.value_or(std::max(1u, std::thread::hardware_concurrency())));
  if (absl::Status status = CheckTogether(command, !loads.empty(), !workloads.empty()); !status.ok()) return status;
  return command;
}

// One trace and how to call it.
struct Trace {
  std::vector<OfferedRequest> requests;
  std::string name;
  std::optional<double> load;         // of a made one or a stretched one
  std::optional<Duration> objective;  // where all have the same
};

// Moves the instants apart or together until their mean rate is that.
void StretchTo(double per_second, std::vector<MonoTime>& arrivals) {
  if (arrivals.size() < 2 || arrivals.back() == arrivals.front()) return;
  const MonoTime start = arrivals.front();
  const double wanted = static_cast<double>(arrivals.size() - 1) / per_second;
  const double ratio = wanted / ToSeconds(arrivals.back() - start);
  for (MonoTime& arrival : arrivals) {
    arrival = start + Duration(std::llround(static_cast<double>((arrival - start).count()) * ratio));
  }
}

absl::StatusOr<Trace> MakeTrace(const Command& command, const Profile& profile, double capacity) {
  Trace trace;
  if (!command.arrivals.empty()) {
    absl::StatusOr<std::vector<OfferedRequest>> requests = ReadRequests(command.arrivals);
    if (!requests.ok()) return requests.status();
    trace.requests = *std::move(requests);
    if (command.requests && trace.requests.size() > static_cast<size_t>(*command.requests)) {
      trace.requests.resize(static_cast<size_t>(*command.requests));
    }
    trace.name = command.arrivals;
    return trace;
  }
  trace.objective = command.objective.value_or(DefaultObjective(profile));
  absl::StatusOr<std::vector<MonoTime>> arrivals;
  const bool replayed = !command.arrival_times.empty() || !command.azure.empty();
  if (!command.arrival_times.empty()) {
    trace.name = command.arrival_times;
    arrivals = ReadArrivalTimes(command.arrival_times);
  } else if (!command.azure.empty()) {
    trace.name = command.azure;
    const std::vector<std::string> paths = absl::StrSplit(command.azure, ',');
    arrivals = ReadAzureInvocations(paths, command.azure_part);
  } else {
    trace.name = command.workloads;
    trace.load = command.load.value_or(0.8);
    arrivals = MakeArrivals(command.workloads, {.count = static_cast<int>(command.requests.value_or(20'000)),
                                                .per_second = *trace.load * capacity,
                                                .objective = *trace.objective,
                                                .seed = command.seeds.front()});
  }
  if (!arrivals.ok()) return arrivals.status();
  if (replayed) {
    if (command.requests && arrivals->size() > static_cast<size_t>(*command.requests)) {
      arrivals->resize(static_cast<size_t>(*command.requests));
    }
    if (command.load) StretchTo(*command.load * capacity, *arrivals);
    trace.load = command.load;
  }
  trace.requests = RequestsAt(*arrivals, *trace.objective);
  return trace;
}

absl::Status WriteFile(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (!file) return absl::UnavailableError(absl::StrCat(path, " cannot be written"));
  return absl::OkStatus();
}

// An unknown policy is found before anything runs for long.
absl::Status CheckPolicies(std::span<const std::string> policies, const Profile& profile) {
  for (const std::string& policy : policies) {
    if (absl::Status status = MakePolicy(policy, profile).status(); !status.ok()) return status;
  }
  return absl::OkStatus();
}

// The same for workloads.
absl::Status CheckWorkloads(std::span<const std::string> workloads) {
  for (const std::string& workload : workloads) {
    const WorkloadOptions tiny{.count = 1, .per_second = 1, .objective = std::chrono::milliseconds(1)};
    if (absl::Status status = MakeArrivals(workload, tiny).status(); !status.ok()) return status;
  }
  return absl::OkStatus();
}

std::string Milliseconds(Duration duration) { return absl::StrFormat("%g ms", 1e3 * ToSeconds(duration)); }

void PrintJson(const Command& command, const Trace& trace, const PointTable& points, double capacity,
               std::span<const PolicyReport> reports, const std::optional<UtilityBound>& bound, std::ostream& out) {
  const auto milliseconds = [](const Summary& s, Duration LatencyQuantiles::*of) -> std::optional<double> {
    if (!s.latency) return std::nullopt;
    return 1e3 * ToSeconds((*s.latency).*of);
  };
  for (const PolicyReport& report : reports) {
    const Summary& s = report.summary;
    JsonLine by_point;
    for (size_t p = 0; p < points.size(); ++p) by_point.Add(points[p].name, s.attained_by_point[p]);
    JsonLine line;
    line.Add("trace", trace.name)
        .Add("seed", command.seeds.front())
        .Add("load", trace.load)
        .Add("capacity", capacity)
        .Add("slots", command.simulation.slots)
        .Add("noise", command.simulation.noise)
        .Add("profile_ratio", command.simulation.profile_ratio);
    if (IsServerWorld(command)) line.Add("world", "server");
    if (trace.objective) line.Add("objective_ms", 1e3 * ToSeconds(*trace.objective));
    line.Add("policy", report.policy)
        .Add("offered", s.offered)
        .Add("attained", s.attained)
        .Add("late", s.late)
        .Add("shed", s.shed)
        .Add("expired", s.expired)
        .Add("attainment", s.attainment)
        .Add("served_accuracy", s.served_accuracy)
        .Add("utility", s.utility)
        .Add("utility_sum", s.utility_sum);
    if (bound) {
      line.Add("bound_sum", bound->sum).Add("bound_exact", bound->exact);
      line.Add("utility_over_bound", UtilityOverBound(s, bound));
    }
    line.Add("seconds", ToSeconds(s.span))
        .Add("offered_per_second", s.offered_per_second)
        .Add("goodput", s.goodput)
        .Add("p50_ms", milliseconds(s, &LatencyQuantiles::p50))
        .Add("p90_ms", milliseconds(s, &LatencyQuantiles::p90))
        .Add("p99_ms", milliseconds(s, &LatencyQuantiles::p99))
        .Add("p999_ms", milliseconds(s, &LatencyQuantiles::p999))
        .Add("attained_by_point", by_point)
        .Add("batches", s.batches)
        .Add("mean_batch", s.mean_batch)
        .Add("switches_per_second", s.switches_per_second)
        .Add("fairness", s.fairness)
        .Add("decision_p50_ns", s.decision_p50_ns)
        .Add("decision_p99_ns", s.decision_p99_ns)
        .Add("replaced_decisions", s.replaced_decisions);
    out << line.text() << "\n";
  }
}

void PrintTable(const Command& command, const Trace& trace, const PointTable& points, double capacity,
                std::span<const PolicyReport> reports, const std::optional<UtilityBound>& bound, std::ostream& out) {
  out << trace.name;
  if (trace.load) out << absl::StrFormat(", load %g (of %.1f requests/s)", *trace.load, capacity);
  if (trace.objective) out << ", objective " << Milliseconds(*trace.objective);
  out << ", " << command.simulation.slots << (command.simulation.slots == 1 ? " slot" : " slots");
  if (IsServerWorld(command)) out << ", the server's world";
  if (command.simulation.noise > 0) out << absl::StrFormat(", noise %g", command.simulation.noise);
  if (command.simulation.profile_ratio != 1) out << absl::StrFormat(", profile x %g", command.simulation.profile_ratio);
  if (!command.simulation.point_ratios.empty()) {
    out << ", points x " << absl::StrJoin(command.simulation.point_ratios, ",");
  }
  out << ", seed " << command.seeds.front() << "\n" << SummaryTable(points, reports, bound);
}

absl::Status RunOne(const Command& command, const Profile& profile, std::ostream& out) {
  std::vector<std::string> policies = command.policies;
  if (policies.empty()) policies.push_back(SimulationOptions().policy);
  if (absl::Status status = CheckPolicies(policies, profile); !status.ok()) return status;
  const double capacity = CapacityIn(command.simulation.world, profile, command.simulation.slots);
  const absl::StatusOr<Trace> trace = MakeTrace(command, profile, capacity);
  if (!trace.ok()) return trace.status();
  const std::vector<OfferedRequest>& requests = trace->requests;
  if (!command.save_arrivals.empty()) {
    absl::Status status = WriteRequests(command.save_arrivals, requests);
    if (absl::IsNotFound(status)) status = absl::UnavailableError(status.message());  // an output, no input
    if (!status.ok()) return status;
  }
  std::optional<UtilityBound> bound;
  if (command.bound) {
    bound = BoundUtilityIn(command.simulation.world, profile, requests, command.simulation.slots);
  }

  std::vector<PolicyReport> reports;
  for (const std::string& policy : policies) {
    SimulationOptions simulation = command.simulation;
    simulation.policy = policy;
    simulation.time_decisions = true;
    const absl::StatusOr<SimulationResult> result = Simulate(profile, requests, simulation);
    if (!result.ok()) return result.status();
    reports.push_back({.policy = policy, .summary = Summarize(profile.points, requests, *result)});
    if (!command.outcomes.empty()) {
      const std::string csv = OutcomesCsv(profile.points, requests, *result);
      if (absl::Status status = WriteFile(command.outcomes, csv); !status.ok()) return status;
    }
    if (!command.timeline.empty()) {
      const Timeline timeline = MakeTimeline(profile.points, requests, *result, kTimelineBins);
      const std::string svg = TimelineFigure(profile.points, timeline, absl::StrCat(policy, " on ", trace->name));
      if (absl::Status status = WriteFile(command.timeline, svg); !status.ok()) return status;
    }
  }
  if (command.json) {
    PrintJson(command, *trace, profile.points, capacity, reports, bound, out);
  } else {
    PrintTable(command, *trace, profile.points, capacity, reports, bound, out);
  }
  return absl::OkStatus();
}

std::vector<std::string> WorkloadsOf(const Command& command) {
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

absl::Status RunMany(const Command& command, const Profile& profile, std::ostream& out) {
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
  if (absl::Status status = CheckWorkloads(options.workloads); !status.ok()) return status;
  const std::filesystem::path directory = command.out;
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) return absl::UnavailableError(absl::StrCat(command.out, " cannot be made: ", error.message()));

  const absl::StatusOr<std::vector<SweepRun>> runs = RunSweep(profile, options);
  if (!runs.ok()) return runs.status();
  const std::string setting =
      absl::StrCat(std::filesystem::path(command.profile).filename().string(), ", ", options.simulation.slots,
                   options.simulation.slots == 1 ? " slot" : " slots", ", objective ", Milliseconds(options.objective),
                   IsServerWorld(command) ? ", the server's world" : "");
  std::vector<std::pair<std::string, std::string>> files = {
      {"sweep.csv", SweepCsv(*runs)},
      {"sweep.md", SweepMarkdown(absl::StrCat("Policies on ", setting, ", ", options.requests, " requests, seeds ",
                                              absl::StrJoin(options.seeds, ", ")),
                                 *runs)}};
  for (auto& figure : SweepFigures(options, profile, *runs, setting)) files.push_back(std::move(figure));
  for (const auto& [name, text] : files) {
    if (absl::Status status = WriteFile(directory / name, text); !status.ok()) return status;
  }
  out << setting << ", " << runs->size() << " runs of " << options.requests << " requests\n"
      << PolicyTable(*runs) << "wrote " << files.size() << " files to " << command.out << "\n";
  return absl::OkStatus();
}

absl::Status Run(const Command& command, std::ostream& out) {
  const absl::StatusOr<MeasuredProfile> profile = ReadProfile(command.profile);
  if (!profile.ok()) return profile.status();
  return command.sweep ? RunMany(command, profile->latencies, out) : RunOne(command, profile->latencies, out);
}

}  // namespace

int RunSimulateCommand(std::span<const std::string> arguments, std::ostream& out, std::ostream& err) {
  const absl::StatusOr<Command> command = ParseCommand(arguments);
  if (!command.ok()) {
    err << "anybit-simulate: " << command.status().message() << "\n";
    return 2;
  }
  if (command->help) {
    out << kUsage;
    return 0;
  }
  const absl::Status status = Run(*command, out);
  if (status.ok()) return 0;
  err << "anybit-simulate: " << status.message() << "\n";
  return absl::IsUnavailable(status) || absl::IsInternal(status) ? 1 : 2;
}

}  // namespace anybit::sim
