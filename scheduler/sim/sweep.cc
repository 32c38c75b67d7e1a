#include "scheduler/sim/sweep.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <thread>
#include <utility>

#include "base/arrivals/workloads.h"
#include "scheduler/sim/bound/world_bound.h"
#include "scheduler/sim/traces/load.h"
#include "scheduler/sim/traces/offered_request.h"

namespace anybit::scheduler::sim {
namespace {

// One trace, which all policies run on.
struct Trace {
  std::string workload;
  double load = 0;
  uint64_t seed = 0;
};

std::vector<Trace> TracesOf(const SweepOptions& options) {
  std::vector<Trace> traces;
  for (const std::string& workload : options.workloads) {
    for (const double load : options.loads) {
      for (const uint64_t seed : options.seeds) traces.push_back({.workload = workload, .load = load, .seed = seed});
    }
  }
  return traces;
}

absl::StatusOr<std::vector<SweepRun>> RunTrace(const Profile& profile, const SweepOptions& options,
                                               const Trace& trace) {
  const WorldOptions& world = options.simulation.world;
  const double capacity = CapacityIn(world, profile, options.simulation.slots);
  absl::StatusOr<std::vector<MonoTime>> arrivals = MakeArrivals(trace.workload, {.count = options.requests,
                                                                                 .per_second = trace.load * capacity,
                                                                                 .objective = options.objective,
                                                                                 .seed = trace.seed});
  if (!arrivals.ok()) return arrivals.status();
  const std::vector<OfferedRequest> requests = RequestsAt(*arrivals, options.objective);
  std::optional<UtilityBound> bound;
  if (options.bound) bound = BoundUtilityIn(world, profile, requests, options.simulation.slots);

  std::vector<SweepRun> runs;
  for (const std::string& policy : options.policies) {
    SimulationOptions simulation = options.simulation;
    simulation.policy = policy;
    simulation.seed = trace.seed;
    absl::StatusOr<SimulationResult> result = Simulate(profile, requests, simulation);
    if (!result.ok()) return result.status();
    runs.push_back({.workload = trace.workload,
                    .load = trace.load,
                    .seed = trace.seed,
                    .policy = policy,
                    .summary = Summarize(profile.points, requests, *result),
                    .bound = bound,
                    .timeline = MakeTimeline(profile.points, requests, *result, options.timeline_bins)});
  }
  return runs;
}

}  // namespace

std::optional<double> UtilityOverBound(const Summary& summary, const std::optional<UtilityBound>& bound) {
  if (!bound.has_value() || bound->sum <= 0) return std::nullopt;
  return summary.utility_sum / bound->sum;
}

absl::StatusOr<std::vector<SweepRun>> RunSweep(const Profile& profile, const SweepOptions& options) {
  const std::vector<Trace> traces = TracesOf(options);
  std::vector<absl::StatusOr<std::vector<SweepRun>>> runs_of(traces.size());
  std::atomic<size_t> next = 0;  // trace; taken by any of the threads
  const auto work = [&] {
    for (size_t i = next++; i < traces.size(); i = next++) runs_of[i] = RunTrace(profile, options, traces[i]);
  };
  std::vector<std::thread> threads;
  const int others = std::min(options.jobs, static_cast<int>(traces.size())) - 1;
  for (int i = 0; i < others; ++i) threads.emplace_back(work);
  work();
  for (std::thread& thread : threads) thread.join();

  std::vector<SweepRun> all;
  for (auto& runs : runs_of) {
    if (!runs.ok()) return runs.status();
    for (SweepRun& run : *runs) all.push_back(std::move(run));
  }
  return all;
}

}  // namespace anybit::scheduler::sim
