// One trace for a run of the simulator, generated or from a file, and its name.
#ifndef ANYBIT_SCHEDULER_SIM_OFFERED_TRACE_H_
#define ANYBIT_SCHEDULER_SIM_OFFERED_TRACE_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/time.h"
#include "scheduler/latency/profile.h"
#include "scheduler/sim/simulate_options.h"
#include "scheduler/sim/traces/offered_request.h"

namespace anybit::scheduler::sim {

struct OfferedTrace {
  std::vector<OfferedRequest> requests;
  std::string name;
  std::optional<double> load;         // of a generated or a stretched trace
  std::optional<Duration> objective;  // where all have the same
};

// `capacity` is the rate that the loads of `options` are multiples of.
absl::StatusOr<OfferedTrace> MakeTrace(const SimulateOptions& options, const Profile& profile, double capacity);

}  // namespace anybit::scheduler::sim

#endif  // ANYBIT_SCHEDULER_SIM_OFFERED_TRACE_H_
