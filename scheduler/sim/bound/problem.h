// The bound's view of a trace: instants and utilities as integers, batches as options of latency and gain.
#ifndef ANYBIT_SCHEDULER_SIM_BOUND_PROBLEM_H_
#define ANYBIT_SCHEDULER_SIM_BOUND_PROBLEM_H_

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "scheduler/latency/profile.h"
#include "scheduler/point_table.h"

namespace anybit::scheduler::sim::bound {

// Nanoseconds. Only differences are used, so any origin serves.
using Time = int64_t;
// Utility in 1e-9, each accuracy rounded up: sums in any order are equal, and err upwards by below 1e-9 a request.
using Gain = int64_t;
inline constexpr double kGainsPerUnit = 1e9;

inline constexpr Time kEarliest = std::numeric_limits<Time>::min();
inline constexpr Time kLatest = std::numeric_limits<Time>::max();

inline Gain ToGain(double accuracy) { return static_cast<Gain>(std::ceil(accuracy * kGainsPerUnit - 1e-5)); }

// One request: where it can be served, and at which points.
struct Window {
  Time arrival = 0;
  Time deadline = 0;
  PointSet allowed;
};

// One way to run a batch of known size.
struct Option {
  Time latency = 0;
  Gain gain = 0;  // of the whole batch
};

// Requests whose deadlines stand in the order of arrivals, all of which accept the same points.
struct Ordered {
  std::vector<Time> arrival;                 // ascending
  std::vector<Time> deadline;                // ascending
  std::vector<std::vector<Option>> options;  // [rows], both members ascending; those of 0 rows are empty

  int size() const { return static_cast<int>(arrival.size()); }
  int max_batch() const { return static_cast<int>(options.size()) - 1; }
};

// least[p][b]: the least latency of b rows at p when padding is allowed; ascending in b. Index 0 is 0.
std::vector<std::vector<Time>> LeastLatencies(const Profile& profile);

// The points worth running at each number of rows: neither faster nor more accurate than another one is left out.
std::vector<std::vector<Option>> MakeOptions(const Profile& profile, PointSet allowed);

// The same problem with time running backwards: a schedule of one read from its end is a schedule of the other.
Ordered Reversed(const Ordered& forward);

}  // namespace anybit::scheduler::sim::bound

#endif  // ANYBIT_SCHEDULER_SIM_BOUND_PROBLEM_H_
