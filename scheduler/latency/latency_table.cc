#include "scheduler/latency/latency_table.h"

#include <algorithm>
#include <bit>
#include <cstdint>

namespace anybit::scheduler {
namespace {

// Duration::max() if `points` is empty.
template <typename Latency>
Duration LeastOf(PointSet points, Latency latency) {
  Duration least = Duration::max();
  for (uint64_t mask = points.mask(); mask != 0; mask &= mask - 1) {
    least = std::min(least, latency(ToPointId(std::countr_zero(mask))));
  }
  return least;
}

}  // namespace

Duration LatencyTable::Fastest(PointSet allowed, int rows) const {
  return LeastOf(allowed, [&](PointId point) { return Predict(point, rows); });
}

Duration LatencyTable::FastestLeast(PointSet allowed, int rows) const {
  return LeastOf(allowed, [&](PointId point) { return PredictLeast(point, rows); });
}

Duration LatencyTable::FastestHoped(PointSet allowed, int rows) const {
  return LeastOf(allowed, [&](PointId point) { return Scaled(profiled[Index(point, rows)], hoped_permille); });
}

Duration LatencyTable::RowCost(PointSet allowed) const {
  return LeastOf(allowed, [&](PointId point) { return row_cost[static_cast<size_t>(ToIndex(point))]; });
}

int LatencyTable::PermilleWithin(PointSet allowed, int rows, Duration limit) const {
  Duration slowest = Duration(1);
  for (uint64_t mask = allowed.mask(); mask != 0; mask &= mask - 1) {
    slowest = std::max(slowest, profiled[Index(ToPointId(std::countr_zero(mask)), rows)]);
  }
  const int64_t permille = std::min(limit, kMaxTime).count() * kUnityPermille / slowest.count();
  return static_cast<int>(std::clamp<int64_t>(permille, 1, kUnityPermille));
}

}  // namespace anybit::scheduler
