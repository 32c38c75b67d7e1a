// The measured latency of every (operating point, rows of a batch) on this machine.
//
// Never assumed, never monotone by faith: a larger batch may be faster, a cheaper point may be slower.
#ifndef ANYBIT_SCHEDULER_LATENCY_PROFILE_H_
#define ANYBIT_SCHEDULER_LATENCY_PROFILE_H_

#include <chrono>
#include <vector>

#include "absl/status/status.h"
#include "base/time.h"
#include "scheduler/point_table.h"

namespace anybit::scheduler {

// After so long a pause a machine is at rest: its caches have lost the network, its clocks and units have slowed down,
// and the next batch takes longer than one of many.
inline constexpr Duration kRest = std::chrono::milliseconds(2);

struct Profile {
  PointTable points;
  int max_batch = 0;                           // rows
  std::vector<std::vector<Duration>> latency;  // [point][rows - 1], each > 0: of batches one after the other
  std::vector<std::vector<Duration>> rested;   // the same of batches at rest; empty where they were not measured

  Duration At(PointId point, int rows, bool at_rest = false) const { return Of(at_rest)[ToIndex(point)][rows - 1]; }
  const std::vector<std::vector<Duration>>& Of(bool at_rest) const {
    return at_rest && !rested.empty() ? rested : latency;
  }
};

// InvalidArgument, naming the value, unless: 1..kMaxPoints points with unique names and accuracies in [0, 1],
// max_batch >= 1, one latency > 0 for each point and number of rows, at rest too where those are given.
absl::Status ValidateProfile(const Profile& profile);

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_LATENCY_PROFILE_H_
