// What one client of a simulation asks for.
#ifndef ANYBIT_SCHEDULER_SIM_TRACES_OFFERED_REQUEST_H_
#define ANYBIT_SCHEDULER_SIM_TRACES_OFFERED_REQUEST_H_

#include <cstdint>

#include "scheduler/latency/profile.h"
#include "scheduler/request.h"

namespace anybit::scheduler::sim {

// Requests of a simulation stand in a vector by (arrival, place in their file).
struct OfferedRequest {
  int64_t id = 0;  // as in its file; unique
  MonoTime arrival{};
  MonoTime deadline = kNever;  // to have been answered by; at or after arrival
  double min_accuracy = 0;     // the least accuracy of its answer, 0..1
  SlaClassId sla_class{};
  TenantId tenant{};
  int64_t place = 0;  // in its file, where it comes from one; results are written in this order
};

// The points of `profile` that are at least as accurate; may be empty.
inline PointSet PointsAbove(const Profile& profile, double min_accuracy) {
  PointSet set;
  for (size_t p = 0; p < profile.points.size(); ++p) {
    if (profile.points[p].accuracy >= min_accuracy) set = set.With(ToPointId(static_cast<int>(p)));
  }
  return set;
}

}  // namespace anybit::scheduler::sim

#endif  // ANYBIT_SCHEDULER_SIM_TRACES_OFFERED_REQUEST_H_
