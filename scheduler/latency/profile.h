// The measured latency of every (operating point, rows of a batch) on this machine.
//
// Never assumed, never monotone by faith: a larger batch may be faster, a cheaper point may be slower.
#ifndef ANYBIT_SCHEDULER_LATENCY_PROFILE_H_
#define ANYBIT_SCHEDULER_LATENCY_PROFILE_H_

#include <vector>

#include "absl/status/status.h"
#include "base/time.h"
#include "scheduler/point_table.h"

namespace anybit::scheduler {

struct Profile {
  PointTable points;
  int max_batch = 0;                           // rows
  std::vector<std::vector<Duration>> latency;  // [point][rows - 1], each > 0

  Duration At(PointId point, int rows) const { return latency[ToIndex(point)][rows - 1]; }
};

// InvalidArgument, naming the value, unless: 1..kMaxPoints points with unique names and accuracies in [0, 1],
// max_batch >= 1, one latency > 0 for each point and number of rows.
absl::Status ValidateProfile(const Profile& profile);

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_LATENCY_PROFILE_H_
