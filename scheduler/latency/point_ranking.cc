#include "scheduler/latency/point_ranking.h"

#include <algorithm>
#include <cmath>

namespace anybit::scheduler {
namespace {

constexpr double kForever = 1e18;  // ns

bool NeverSlower(const Profile& profile, int point, int than) {
  for (int rows = 1; rows <= profile.max_batch; ++rows) {
    if (profile.At(ToPointId(point), rows) > profile.At(ToPointId(than), rows)) return false;
  }
  return true;
}

uint64_t DominatedBy(const Profile& profile, int point) {
  uint64_t mask = 0;
  const auto accuracy = [&](int p) { return profile.points[static_cast<size_t>(p)].accuracy; };
  for (int other = 0; other < static_cast<int>(profile.points.size()); ++other) {
    if (other == point || accuracy(other) < accuracy(point) || !NeverSlower(profile, other, point)) continue;
    // Of two equal points the first stays.
    const bool equal = accuracy(other) == accuracy(point) && NeverSlower(profile, point, other);
    if (!equal || other < point) mask |= uint64_t{1} << other;
  }
  return mask;
}

// The z that a standard normal variable exceeds with this probability; at least 0.
double UpperQuantile(double probability) {
  double low = 0;
  double high = 8;
  for (int i = 0; i < 40; ++i) {
    const double z = (low + high) / 2;
    (std::erfc(z / std::sqrt(2.0)) / 2 > probability ? low : high) = z;
  }
  return low;
}

// Sorts a few elements in place; std::stable_sort allocates.
template <typename T, typename Before>
void InsertionSort(std::vector<T>& elements, Before before) {
  for (size_t i = 1; i < elements.size(); ++i) {
    for (size_t j = i; j > 0 && before(elements[j], elements[j - 1]); --j) std::swap(elements[j], elements[j - 1]);
  }
}

}  // namespace

void PointRanking::Rank(const Profile& profile) {
  points_.resize(profile.points.size());
  for (int p = 0; p < static_cast<int>(points_.size()); ++p) {
    RankedPoint& point = points_[static_cast<size_t>(p)];
    point.id = ToPointId(p);
    point.accuracy = profile.points[static_cast<size_t>(p)].accuracy;
    point.cost = kForever;
    point.dominated_by = DominatedBy(profile, p);
    point.efficient.assign(1, 0);
    for (int rows = 1; rows <= profile.max_batch; ++rows) {
      const double cost = static_cast<double>(profile.At(point.id, rows).count()) / rows;
      point.efficient.push_back(cost <= point.cost ? rows : point.efficient.back());
      point.cost = std::min(point.cost, cost);
    }
    point.value = point.accuracy / point.cost;
  }
  InsertionSort(points_, [](const RankedPoint& a, const RankedPoint& b) {
    return a.accuracy != b.accuracy ? a.accuracy > b.accuracy : a.cost < b.cost;
  });
  by_value_.clear();
  by_value_.reserve(points_.size());
  for (size_t p = 0; p < points_.size(); ++p) {
    if (points_[p].dominated_by == 0) by_value_.push_back(p);
  }
  InsertionSort(by_value_, [this](size_t a, size_t b) { return points_[a].value > points_[b].value; });
  const double most_value = points_[by_value_.front()].value;
  least_cost_ = kForever;
  for (const RankedPoint& p : points_) least_cost_ = std::min(least_cost_, p.cost);
  margins_.clear();
  for (const RankedPoint& p : points_) {
    for (const RankedPoint& q : points_) {
      const double gain = (p.accuracy - q.accuracy) / (p.cost - q.cost);  // asked for only where q is cheaper
      margins_.push_back(p.cost > q.cost ? UpperQuantile(gain / most_value) : 0);
    }
  }
}

}  // namespace anybit::scheduler
