// How long batches are expected to take, at one instant, as plain numbers: what a decision may know of latency.
//
// The latency model writes it anew when it learns; decisions only read it. Durations are from dispatch until the
// scheduler has the batch back.
#ifndef ANYBIT_SCHEDULER_LATENCY_LATENCY_TABLE_H_
#define ANYBIT_SCHEDULER_LATENCY_LATENCY_TABLE_H_

#include <cstddef>
#include <vector>

#include "base/time.h"
#include "scheduler/latency/permille.h"
#include "scheduler/latency/point_ranking.h"
#include "scheduler/point_table.h"

namespace anybit::scheduler {

struct LatencyTable {
  PointTable points;
  int max_batch = 0;  // rows

  // By (point, rows), see Index.
  std::vector<Duration> predicted;
  std::vector<Duration> typical;
  std::vector<Duration> least;
  std::vector<Duration> profiled;
  std::vector<Duration> row_cost;  // [point]

  // The worth of the points beside each other, by their corrected latencies.
  PointRanking ranking;

  // Points of which only the profile is known, while more is known of others. Such a point may have become the best,
  // and that shows only if it is tried from time to time.
  PointSet untried;

  // Whether any batch has been observed. Until then the profile is all that is known.
  bool measured = false;

  // Computing / profile: the median, its scatter to either side, and what Predict multiplies by.
  int typical_permille = kUnityPermille;
  int scatter_permille = 0;
  int upper_permille = kUnityPermille;
  // The best ratio that may be hoped for: 1000, or the best lately measured if that is less.
  int hoped_permille = kUnityPermille;
  // Predict adds this to the scaled profile.
  Duration upper_additive{};

  size_t Index(PointId point, int rows) const { return static_cast<size_t>(ToIndex(point) * max_batch + rows - 1); }

  double AccuracyOf(PointId point) const { return points[static_cast<size_t>(ToIndex(point))].accuracy; }

  // All but one such batch in twenty keep to it: for deadlines. 1 <= rows <= max_batch.
  Duration Predict(PointId point, int rows) const { return predicted[Index(point, rows)]; }
  // The median of such batches: for many of them, one after the other.
  Duration Typical(PointId point, int rows) const { return typical[Index(point, rows)]; }
  // Such a batch is unlikely to take less: for giving up.
  Duration PredictLeast(PointId point, int rows) const { return least[Index(point, rows)]; }

  // The least Predict(point, rows) over `allowed`; Duration::max() if that is empty.
  Duration Fastest(PointSet allowed, int rows) const;
  // The same of PredictLeast.
  Duration FastestLeast(PointSet allowed, int rows) const;
  // The least that such a batch may take although measurements say more. Nothing that needs less time than this can be
  // expected to succeed.
  Duration FastestHoped(PointSet allowed, int rows) const;

  // The least typical time per row over `allowed` and all batch sizes: the cost of a row when batches are as good as
  // can be. Duration::max() if `allowed` is empty.
  Duration RowCost(PointSet allowed) const;

  // The permille of the profile at which every point of `allowed` runs `rows` within `limit`; 1 to 1000.
  int PermilleWithin(PointSet allowed, int rows, Duration limit) const;
};

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_LATENCY_LATENCY_TABLE_H_
