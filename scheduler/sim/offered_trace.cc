#include "scheduler/sim/offered_trace.h"

#include <chrono>
#include <cstddef>
#include <utility>

#include "base/arrivals/arrival_times.h"
#include "base/arrivals/workloads.h"
#include "scheduler/sim/traces/arrival_files.h"
#include "scheduler/sim/traces/load.h"

namespace anybit::scheduler::sim {

absl::StatusOr<OfferedTrace> MakeTrace(const SimulateOptions& options, const Profile& profile, double capacity) {
  OfferedTrace trace;
  if (!options.arrivals.empty()) {
    absl::StatusOr<std::vector<OfferedRequest>> requests = ReadRequests(options.arrivals);
    if (!requests.ok()) return requests.status();
    trace.requests = *std::move(requests);
    if (options.requests && trace.requests.size() > static_cast<size_t>(*options.requests)) {
      trace.requests.resize(static_cast<size_t>(*options.requests));
    }
    trace.name = options.arrivals;
    return trace;
  }
  trace.objective = options.objective.value_or(DefaultObjective(profile));
  absl::StatusOr<std::vector<MonoTime>> arrivals;
  const bool replayed = !options.arrival_times.empty() || !options.azure.empty();
  if (replayed) {
    trace.name = options.azure.empty() ? options.arrival_times : options.azure;
    arrivals = ReadRecording(options.arrival_times, options.azure, options.azure_part);
  } else {
    trace.name = options.workloads;
    trace.load = options.load.value_or(0.8);
    arrivals = MakeArrivals(options.workloads, {.count = static_cast<int>(options.requests.value_or(20'000)),
                                                .per_second = *trace.load * capacity,
                                                .objective = *trace.objective,
                                                .seed = options.seeds.front()});
  }
  if (!arrivals.ok()) return arrivals.status();
  if (replayed) {
    if (options.requests && arrivals->size() > static_cast<size_t>(*options.requests)) {
      arrivals->resize(static_cast<size_t>(*options.requests));
    }
    if (options.load) StretchTo(*options.load * capacity, *arrivals);
    trace.load = options.load;
  }
  trace.requests = RequestsAt(*arrivals, *trace.objective);
  return trace;
}

}  // namespace anybit::scheduler::sim
