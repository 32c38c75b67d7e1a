#include "scheduler/sim/trace_run.h"

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/file.h"
#include "base/json_line.h"
#include "scheduler/sim/bound/bound.h"
#include "scheduler/sim/bound/world_bound.h"
#include "scheduler/sim/check_policies.h"
#include "scheduler/sim/offered_trace.h"
#include "scheduler/sim/report.h"
#include "scheduler/sim/simulation.h"
#include "scheduler/sim/summary.h"
#include "scheduler/sim/sweep_report.h"
#include "scheduler/sim/traces/arrival_files.h"

namespace anybit::scheduler::sim {
namespace {

constexpr int kTimelineBins = 60;

std::string Milliseconds(Duration duration) { return absl::StrFormat("%g ms", 1e3 * ToSeconds(duration)); }

void PrintJson(const SimulateOptions& options, const OfferedTrace& trace, const PointTable& points, double capacity,
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
        .Add("seed", options.seeds.front())
        .Add("load", trace.load)
        .Add("capacity", capacity)
        .Add("slots", options.simulation.slots)
        .Add("noise", options.simulation.noise)
        .Add("profile_ratio", options.simulation.profile_ratio);
    if (options.server_world()) line.Add("world", "server");
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

void PrintTable(const SimulateOptions& options, const OfferedTrace& trace, const PointTable& points, double capacity,
                std::span<const PolicyReport> reports, const std::optional<UtilityBound>& bound, std::ostream& out) {
  out << trace.name;
  if (trace.load) out << absl::StrFormat(", load %g (of %.1f requests/s)", *trace.load, capacity);
  if (trace.objective) out << ", objective " << Milliseconds(*trace.objective);
  out << ", " << options.simulation.slots << (options.simulation.slots == 1 ? " slot" : " slots");
  if (options.server_world()) out << ", the server's world";
  if (options.simulation.noise > 0) out << absl::StrFormat(", noise %g", options.simulation.noise);
  if (options.simulation.profile_ratio != 1) out << absl::StrFormat(", profile x %g", options.simulation.profile_ratio);
  if (!options.simulation.point_ratios.empty()) {
    out << ", points x " << absl::StrJoin(options.simulation.point_ratios, ",");
  }
  out << ", seed " << options.seeds.front() << "\n" << SummaryTable(points, reports, bound);
}

}  // namespace

absl::Status RunTrace(const SimulateOptions& options, const Profile& profile, std::ostream& out) {
  std::vector<std::string> policies = options.policies;
  if (policies.empty()) policies.push_back(SimulationOptions().policy);
  if (absl::Status status = CheckPolicies(policies, profile); !status.ok()) return status;
  const double capacity = CapacityIn(options.simulation.world, profile, options.simulation.slots);
  const absl::StatusOr<OfferedTrace> trace = MakeTrace(options, profile, capacity);
  if (!trace.ok()) return trace.status();
  const std::vector<OfferedRequest>& requests = trace->requests;
  if (!options.save_arrivals.empty()) {
    if (absl::Status status = WriteRequests(options.save_arrivals, requests); !status.ok()) return status;
  }
  std::optional<UtilityBound> bound;
  if (options.bound) {
    bound = BoundUtilityIn(options.simulation.world, profile, requests, options.simulation.slots);
  }

  std::vector<PolicyReport> reports;
  for (const std::string& policy : policies) {
    SimulationOptions simulation = options.simulation;
    simulation.policy = policy;
    simulation.time_decisions = true;
    const absl::StatusOr<SimulationResult> result = Simulate(profile, requests, simulation);
    if (!result.ok()) return result.status();
    reports.push_back({.policy = policy, .summary = Summarize(profile.points, requests, *result)});
    if (!options.outcomes.empty()) {
      const std::string csv = OutcomesCsv(profile.points, requests, *result);
      if (absl::Status status = ReplaceFile(options.outcomes, csv); !status.ok()) return status;
    }
    if (!options.timeline.empty()) {
      const Timeline timeline = MakeTimeline(profile.points, requests, *result, kTimelineBins);
      const std::string svg = TimelineFigure(profile.points, timeline, absl::StrCat(policy, " on ", trace->name));
      if (absl::Status status = ReplaceFile(options.timeline, svg); !status.ok()) return status;
    }
  }
  if (options.json) {
    PrintJson(options, *trace, profile.points, capacity, reports, bound, out);
  } else {
    PrintTable(options, *trace, profile.points, capacity, reports, bound, out);
  }
  return absl::OkStatus();
}

}  // namespace anybit::scheduler::sim
