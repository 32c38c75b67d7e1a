#include "scheduler/sim/bound/fluid_bound.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <queue>
#include <utility>

namespace anybit::scheduler::sim::bound {
namespace {

// Some utility for some slot time.
struct Segment {
  double work = 0;
  double slope = 0;
  double accuracy = 0;  // at its end
};

// The most that each request can earn for x of slot time, as a concave function: segments of falling slope.
//
// At p a request takes at least least(p, k) / k, where k is the number of members. They all arrived by its deadline
// less the latency, and have deadlines after its arrival plus the latency: that limits k.
std::vector<std::vector<Segment>> EarningsOf(const Profile& profile, const std::vector<Window>& windows) {
  constexpr int kLevels = 40;
  const std::vector<std::vector<Time>> least = LeastLatencies(profile);
  const int max_batch = profile.max_batch;
  Time shortest = kLatest;
  Time longest = 0;
  for (const std::vector<Time>& row : least) {
    shortest = std::min(shortest, row[1]);
    longest = std::max(longest, row[max_batch]);
  }
  std::vector<Time> level(kLevels);
  for (int v = 0; v < kLevels; ++v) {
    const double ratio = static_cast<double>(longest) / static_cast<double>(shortest);
    level[v] = static_cast<Time>(static_cast<double>(shortest) * std::pow(ratio, static_cast<double>(v) / kLevels));
  }
  // members[v][i]: at most so many share a batch with i that takes level[v] or longer.
  std::vector<std::vector<int>> members(kLevels, std::vector<int>(windows.size()));
  for (int v = 0; v < kLevels; ++v) {
    std::vector<Time> arrivals;
    std::vector<Time> deadlines;
    for (const Window& window : windows) {
      if (window.deadline - window.arrival < level[v]) continue;
      arrivals.push_back(window.arrival);
      deadlines.push_back(window.deadline);
    }
    std::sort(deadlines.begin(), deadlines.end());
    for (size_t i = 0; i < windows.size(); ++i) {
      const auto in_time = std::upper_bound(arrivals.begin(), arrivals.end(), windows[i].deadline - level[v]);
      const auto too_early = std::lower_bound(deadlines.begin(), deadlines.end(), windows[i].arrival + level[v]);
      members[v][i] = static_cast<int>((in_time - arrivals.begin()) - (too_early - deadlines.begin()));
    }
  }
  std::vector<std::vector<int>> level_of(least.size(), std::vector<int>(max_batch + 1));
  for (size_t p = 0; p < least.size(); ++p) {
    for (int b = 1; b <= max_batch; ++b) {
      const auto above = std::upper_bound(level.begin(), level.end(), least[p][b]);
      level_of[p][b] = std::max(0, static_cast<int>(above - level.begin()) - 1);
    }
  }
  std::vector<std::vector<Segment>> earnings(windows.size());
  for (size_t i = 0; i < windows.size(); ++i) {
    std::vector<Segment>& hull = earnings[i];
    std::vector<std::pair<double, double>> ways;  // (slot time, accuracy)
    for (size_t p = 0; p < least.size(); ++p) {
      if (!windows[i].allowed.Contains(ToPointId(static_cast<int>(p)))) continue;
      double cost = std::numeric_limits<double>::infinity();
      for (int b = 1; b <= max_batch; ++b) {
        if (least[p][b] > windows[i].deadline - windows[i].arrival || members[level_of[p][b]][i] < b) break;
        cost = std::min(cost, static_cast<double>(least[p][b]) / b);
      }
      if (std::isfinite(cost)) ways.emplace_back(cost, profile.points[p].accuracy);
    }
    // Always the steepest from the last corner, until nothing earns more.
    double work = 0;
    double gain = 0;
    while (true) {
      Segment steepest;
      for (const auto& [cost, accuracy] : ways) {
        if (accuracy <= gain || cost <= work) continue;
        const double slope = (accuracy - gain) / (cost - work);
        if (slope >= steepest.slope) {
          steepest = {.work = cost - work, .slope = slope, .accuracy = accuracy};
        }
      }
      if (steepest.slope <= 0) break;
      hull.push_back(steepest);
      work += steepest.work;
      gain = steepest.accuracy;
    }
  }
  return earnings;
}

// The most slot time that can be spent inside the windows when request i is given at most `limit[i]`: the earliest
// deadline first, preempted at will, what is left at the deadline is lost. Windows by arrival.
double MostWork(const std::vector<Window>& windows, const std::vector<double>& limit, int slots) {
  using Entry = std::pair<Time, double>;  // deadline, what is left
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> waiting;
  double done = 0;
  double now = static_cast<double>(windows.front().arrival);
  for (size_t i = 0; i <= windows.size(); ++i) {
    const double until =
        i < windows.size() ? static_cast<double>(windows[i].arrival) : std::numeric_limits<double>::infinity();
    while (!waiting.empty() && now < until) {
      const auto [deadline, left] = waiting.top();
      waiting.pop();
      const double end = std::min({until, static_cast<double>(deadline), now + left / slots});
      if (end <= now) continue;
      const double spent = std::min(left, (end - now) * slots);
      done += spent;
      now = end;
      if (left > spent && end < static_cast<double>(deadline)) waiting.emplace(deadline, left - spent);
    }
    if (i == windows.size()) break;
    now = std::max(now, until);
    if (limit[i] > 0) waiting.emplace(windows[i].deadline, limit[i]);
  }
  return done;
}

}  // namespace

// Requests share the slots like a fluid. With x_i the slot time of request i, its earnings are the sum over distinct
// slopes s of (s - next lower s) * min(x_i, length of its segments at least as steep as s), and the sum of those
// minima over requests is no more than MostWork for these lengths.
Gain FluidBound(const Profile& profile, const std::vector<Window>& windows, int slots) {
  const std::vector<std::vector<Segment>> earnings = EarningsOf(profile, windows);
  std::vector<double> slopes;
  for (const std::vector<Segment>& segments : earnings) {
    for (const Segment& segment : segments) slopes.push_back(segment.slope);
  }
  if (slopes.empty()) return 0;
  std::sort(slopes.begin(), slopes.end(), std::greater<>());
  slopes.erase(std::unique(slopes.begin(), slopes.end()), slopes.end());
  const auto most_work = [&](size_t slope) {
    std::vector<double> limit(windows.size(), 0);
    for (size_t i = 0; i < windows.size(); ++i) {
      for (const Segment& segment : earnings[i]) limit[i] += segment.slope >= slopes[slope] ? segment.work : 0;
    }
    return MostWork(windows, limit, slots);
  };
  // Slopes are many, and MostWork rises from one to the next. Between two where it is known the higher value serves
  // for all, which errs by at most `loss`; the interval that errs most is divided.
  struct Interval {
    size_t first, last;        // slopes
    double work_before, work;  // MostWork of the slope before `first`; of `last`
    double loss;
    bool operator<(const Interval& other) const { return loss < other.loss; }
  };
  const auto interval = [&slopes](size_t first, size_t last, double work_before, double work) {
    return Interval{first, last, work_before, work, (slopes[first] - slopes[last]) * (work - work_before)};
  };
  std::priority_queue<Interval> intervals;
  intervals.push(interval(0, slopes.size() - 1, 0, most_work(slopes.size() - 1)));
  for (int evaluations = 1; evaluations < 80; ++evaluations) {
    const Interval widest = intervals.top();
    if (widest.loss <= 0) break;
    intervals.pop();
    const double middle = (slopes[widest.first] + slopes[widest.last]) / 2;
    size_t split = widest.first;
    while (split + 1 < widest.last && slopes[split + 1] >= middle) ++split;
    const double work = most_work(split);
    intervals.push(interval(widest.first, split, widest.work_before, work));
    intervals.push(interval(split + 1, widest.last, work, widest.work));
  }
  double bound = 0;
  for (; !intervals.empty(); intervals.pop()) {
    const Interval& top = intervals.top();
    const double below = top.last + 1 < slopes.size() ? slopes[top.last + 1] : 0;
    bound += (slopes[top.first] - below) * top.work;
  }
  Gain most = 0;  // without a queue; in integers, as attained sums are
  for (const std::vector<Segment>& segments : earnings) {
    if (!segments.empty()) most += ToGain(segments.back().accuracy);
  }
  // More than the rounding of all these sums.
  return std::min(most, ToGain(bound * (1 + 1e-9)));
}

}  // namespace anybit::scheduler::sim::bound
