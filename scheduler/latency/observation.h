// One batch as the latency model saw it, and the window of the last ones.
#ifndef ANYBIT_SCHEDULER_LATENCY_OBSERVATION_H_
#define ANYBIT_SCHEDULER_LATENCY_OBSERVATION_H_

#include "base/time.h"
#include "scheduler/latency/ring.h"
#include "scheduler/point_table.h"

namespace anybit::scheduler {

struct Observation {
  PointId point{};
  int rows = 0;
  Duration profiled{};     // by the profile, for this point and rows
  int ratio_permille = 0;  // compute / profiled
  Duration compute{};
  Duration overhead{};  // from dispatch until the scheduler had it back, without computing
  bool warm = true;     // the slot ran the same point before
  MonoTime at{};
  bool in_own = false;  // counted among the ratios of its point's own correction
};

using ObservationWindow = Ring<Observation>;

// Batches are comparable if neither has more than this many times the rows, or the profiled time, of the other. An
// interruption takes milliseconds whatever the batch, so short batches suffer more than long ones.
inline constexpr int kComparableFactor = 4;

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_LATENCY_OBSERVATION_H_
