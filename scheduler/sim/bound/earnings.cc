#include "scheduler/sim/bound/earnings.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>

namespace anybit::scheduler::sim::bound {
namespace {

using Latencies = std::vector<std::vector<Time>>;  // [point][rows]

constexpr int kLevels = 40;

// Latencies from the shortest batch towards the longest, in equal ratios.
std::vector<Time> LevelsOf(const Latencies& least) {
  Time shortest = kLatest;
  Time longest = 0;
  for (const std::vector<Time>& row : least) {
    shortest = std::min(shortest, row[1]);
    longest = std::max(longest, row.back());
  }
  std::vector<Time> levels(kLevels);
  for (int v = 0; v < kLevels; ++v) {
    const double ratio = static_cast<double>(longest) / static_cast<double>(shortest);
    levels[v] = static_cast<Time>(static_cast<double>(shortest) * std::pow(ratio, static_cast<double>(v) / kLevels));
  }
  return levels;
}

// [window]: how many requests can share a batch with it that takes `latency` or longer, at most.
std::vector<int> MembersWithin(Time latency, const std::vector<Window>& windows) {
  std::vector<Time> arrivals;
  std::vector<Time> deadlines;
  for (const Window& window : windows) {
    if (window.deadline - window.arrival < latency) continue;
    arrivals.push_back(window.arrival);
    deadlines.push_back(window.deadline);
  }
  std::sort(deadlines.begin(), deadlines.end());
  std::vector<int> members(windows.size());
  for (size_t i = 0; i < windows.size(); ++i) {
    const auto in_time = std::upper_bound(arrivals.begin(), arrivals.end(), windows[i].deadline - latency);
    const auto too_early = std::lower_bound(deadlines.begin(), deadlines.end(), windows[i].arrival + latency);
    members[i] = static_cast<int>((in_time - arrivals.begin()) - (too_early - deadlines.begin()));
  }
  return members;
}

// The most members of batches. Their latencies are rounded down to a few levels, which can only raise the number.
class BatchLimits {
 public:
  BatchLimits(const Latencies& least, const std::vector<Window>& windows) {
    const std::vector<Time> levels = LevelsOf(least);
    for (const Time level : levels) members_.push_back(MembersWithin(level, windows));
    for (const std::vector<Time>& row : least) {
      std::vector<int>& level_of = level_of_.emplace_back();
      for (const Time latency : row) {
        const auto above = std::upper_bound(levels.begin(), levels.end(), latency);
        level_of.push_back(std::max(0, static_cast<int>(above - levels.begin()) - 1));
      }
    }
  }

  // Of a batch that takes least[point][rows] and has windows[i] among its members.
  int MaxMembers(size_t point, int rows, size_t i) const { return members_[level_of_[point][rows]][i]; }

 private:
  std::vector<std::vector<int>> members_;   // [level][window]
  std::vector<std::vector<int>> level_of_;  // [point][rows]
};

struct Way {
  double cost = 0;  // slot time
  double accuracy = 0;
};

// The cheapest way at each point that the window accepts and is long enough for.
std::vector<Way> WaysOf(const Profile& profile, const Latencies& least, const BatchLimits& limits, const Window& window,
                        size_t i) {
  std::vector<Way> ways;
  for (size_t p = 0; p < least.size(); ++p) {
    if (!window.allowed.Contains(ToPointId(static_cast<int>(p)))) continue;
    double cost = std::numeric_limits<double>::infinity();
    for (int b = 1; b <= profile.max_batch; ++b) {
      if (least[p][b] > window.deadline - window.arrival || limits.MaxMembers(p, b, i) < b) break;
      cost = std::min(cost, static_cast<double>(least[p][b]) / b);
    }
    if (std::isfinite(cost)) ways.push_back({.cost = cost, .accuracy = profile.points[p].accuracy});
  }
  return ways;
}

// The upper concave hull from the origin on: always the steepest from the last corner, until nothing earns more.
Earnings HullOf(const std::vector<Way>& ways) {
  Earnings hull;
  double work = 0;
  double gain = 0;
  while (true) {
    Segment steepest;
    for (const auto& [cost, accuracy] : ways) {
      if (accuracy <= gain || cost <= work) continue;
      const double slope = (accuracy - gain) / (cost - work);
      if (slope >= steepest.slope) steepest = {.work = cost - work, .slope = slope, .accuracy = accuracy};
    }
    if (steepest.slope <= 0) return hull;
    hull.push_back(steepest);
    work += steepest.work;
    gain = steepest.accuracy;
  }
}

}  // namespace

std::vector<Earnings> EarningsOf(const Profile& profile, const std::vector<Window>& windows) {
  const Latencies least = LeastLatencies(profile);
  const BatchLimits limits(least, windows);
  std::vector<Earnings> earnings(windows.size());
  for (size_t i = 0; i < windows.size(); ++i) earnings[i] = HullOf(WaysOf(profile, least, limits, windows[i], i));
  return earnings;
}

}  // namespace anybit::scheduler::sim::bound
