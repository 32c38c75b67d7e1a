// The worth of a profile's points beside each other: cost and value of a row, efficient sizes, dominated points, and
// the chance of missing a deadline that a more accurate point is worth.
//
// It follows from the latencies alone. The latency model keeps a ranking of its corrected profile and ranks anew when a
// correction changes, in the memory it has.
#ifndef ANYBIT_SCHEDULER_LATENCY_POINT_RANKING_H_
#define ANYBIT_SCHEDULER_LATENCY_POINT_RANKING_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "scheduler/latency/profile.h"
#include "scheduler/point_table.h"

namespace anybit::scheduler {

struct RankedPoint {
  PointId id{};
  double accuracy = 0;
  double cost = 0;             // the least time per row over all batch sizes, ns
  double value = 0;            // accuracy / cost
  std::vector<int> efficient;  // [rows]: of the sizes up to it that of least time per row, the largest of several
  uint64_t dominated_by = 0;   // the points that are neither slower at any size nor less accurate
};

class PointRanking {
 public:
  PointRanking() = default;
  // `profile` is valid. Keeps no reference to it.
  explicit PointRanking(const Profile& profile) { Rank(profile); }

  // Ranks another profile of as many points and sizes; without allocation after the first.
  void Rank(const Profile& profile);

  // Most accurate first, of equal ones the cheaper.
  const std::vector<RankedPoint>& points() const { return points_; }

  // Indices of points(), most accuracy per time first, without dominated ones.
  const std::vector<size_t>& by_value() const { return by_value_; }

  // The least cost of all points, ns.
  double least_cost() const { return least_cost_; }

  // Standard deviations by which arrivals may exceed their forecast before points()[p] is no longer worth it instead of
  // points()[q]: the newsvendor's quantile. A batch at p gains accuracy(p) - accuracy(q) per row and takes cost(p) -
  // cost(q) longer; a unit of time that is missed later loses requests worth the most valuable point's value. 0 where q
  // is not cheaper.
  double Margin(size_t p, size_t q) const { return margins_[p * points_.size() + q]; }

 private:
  std::vector<RankedPoint> points_;
  std::vector<size_t> by_value_;
  std::vector<double> margins_;
  double least_cost_ = 0;
};

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_LATENCY_POINT_RANKING_H_
