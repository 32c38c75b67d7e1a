#include "scheduler/sim/bound/fluid_bound.h"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <limits>
#include <queue>
#include <utility>

#include "absl/functional/function_ref.h"
#include "scheduler/sim/bound/earnings.h"

namespace anybit::scheduler::sim::bound {
namespace {

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

// The sum over slopes s of (s - next lower s) * most_work(s), or slightly more. most_work(i) is of slopes[i] and rises
// with i; `slopes` fall and are not empty.
//
// Slopes are many. Between two where most_work is known the higher value serves for all, which errs by at most `loss`;
// the interval that errs most is divided.
double SumOverSlopes(const std::vector<double>& slopes, absl::FunctionRef<double(size_t)> most_work) {
  constexpr int kEvaluations = 80;
  struct Interval {
    size_t first, last;        // slopes
    double work_before, work;  // most_work of the slope before `first`; of `last`
    double loss;
    bool operator<(const Interval& other) const { return loss < other.loss; }
  };
  const auto interval = [&slopes](size_t first, size_t last, double work_before, double work) {
    return Interval{first, last, work_before, work, (slopes[first] - slopes[last]) * (work - work_before)};
  };
  std::priority_queue<Interval> intervals;
  intervals.push(interval(0, slopes.size() - 1, 0, most_work(slopes.size() - 1)));
  for (int evaluations = 1; evaluations < kEvaluations; ++evaluations) {
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
  double sum = 0;
  for (; !intervals.empty(); intervals.pop()) {
    const Interval& top = intervals.top();
    const double below = top.last + 1 < slopes.size() ? slopes[top.last + 1] : 0;
    sum += (slopes[top.first] - below) * top.work;
  }
  return sum;
}

// All different slopes, falling.
std::vector<double> SlopesOf(const std::vector<Earnings>& earnings) {
  std::vector<double> slopes;
  for (const Earnings& segments : earnings) {
    for (const Segment& segment : segments) slopes.push_back(segment.slope);
  }
  std::sort(slopes.begin(), slopes.end(), std::greater<>());
  slopes.erase(std::unique(slopes.begin(), slopes.end()), slopes.end());
  return slopes;
}

}  // namespace

// Requests share the slots like a fluid. With x_i the slot time of request i, its earnings are the sum over distinct
// slopes s of (s - next lower s) * min(x_i, length of its segments at least as steep as s), and the sum of those
// minima over requests is no more than MostWork for these lengths.
Gain FluidBound(const Profile& profile, const std::vector<Window>& windows, int slots) {
  const std::vector<Earnings> earnings = EarningsOf(profile, windows);
  const std::vector<double> slopes = SlopesOf(earnings);
  if (slopes.empty()) return 0;
  const double bound = SumOverSlopes(slopes, [&](size_t slope) {
    std::vector<double> limit(windows.size(), 0);
    for (size_t i = 0; i < windows.size(); ++i) {
      for (const Segment& segment : earnings[i]) limit[i] += segment.slope >= slopes[slope] ? segment.work : 0;
    }
    return MostWork(windows, limit, slots);
  });
  Gain most = 0;  // without a queue; in integers, as attained sums are
  for (const Earnings& segments : earnings) {
    if (!segments.empty()) most += ToGain(segments.back().accuracy);
  }
  // More than the rounding of all these sums.
  return std::min(most, ToGain(bound * (1 + 1e-9)));
}

}  // namespace anybit::scheduler::sim::bound
