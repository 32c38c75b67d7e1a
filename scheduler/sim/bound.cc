#include "scheduler/sim/bound.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <utility>
#include <vector>

namespace anybit::sim {
namespace {

// Nanoseconds. Differences only are used, so that any origin does.
using Time = int64_t;
// Utility in 1e-9, an accuracy rounded up: sums in any order are equal, and the bound errs upwards, below 1e-9 a request.
using Gain = int64_t;
constexpr double kGainsPerUnit = 1e9;

constexpr Time kEarliest = std::numeric_limits<Time>::min();
constexpr Time kLatest = std::numeric_limits<Time>::max();

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

Gain ToGain(double accuracy) { return static_cast<Gain>(std::ceil(accuracy * kGainsPerUnit - 1e-5)); }

// least[p][b]: the least latency of b rows at p when padding is allowed; ascending in b. Index 0 is 0.
std::vector<std::vector<Time>> LeastLatencies(const Profile& profile) {
  std::vector<std::vector<Time>> least(profile.points.size(), std::vector<Time>(profile.max_batch + 1, 0));
  for (size_t p = 0; p < least.size(); ++p) {
    Time so_far = kLatest;
    for (int b = profile.max_batch; b >= 1; --b) {
      so_far = std::min<Time>(so_far, profile.latency[p][b - 1].count());
      least[p][b] = so_far;
    }
  }
  return least;
}

// The points worth running at each number of rows: neither faster nor more accurate than another one is left out.
std::vector<std::vector<Option>> MakeOptions(const Profile& profile, PointSet allowed) {
  const std::vector<std::vector<Time>> least = LeastLatencies(profile);
  std::vector<std::vector<Option>> options(profile.max_batch + 1);
  for (int b = 1; b <= profile.max_batch; ++b) {
    std::vector<Option> all;
    for (size_t p = 0; p < least.size(); ++p) {
      if (!allowed.Contains(ToPointId(static_cast<int>(p)))) continue;
      all.push_back({.latency = least[p][b], .gain = b * ToGain(profile.points[p].accuracy)});
    }
    std::sort(all.begin(), all.end(), [](const Option& a, const Option& b) {
      return a.latency != b.latency ? a.latency < b.latency : a.gain > b.gain;
    });
    for (const Option& option : all) {
      if (option.gain > (options[b].empty() ? 0 : options[b].back().gain)) options[b].push_back(option);
    }
  }
  return options;
}

// The same problem with time running backwards: a schedule of one read from its end is a schedule of the other.
Ordered Reversed(const Ordered& forward) {
  const int n = forward.size();
  Ordered backward{.arrival = std::vector<Time>(n), .deadline = std::vector<Time>(n), .options = forward.options};
  for (int i = 0; i < n; ++i) {
    backward.arrival[i] = -forward.deadline[n - 1 - i];
    backward.deadline[i] = -forward.arrival[n - 1 - i];
  }
  return backward;
}

// The slot is free at `time`, having earned `gain`.
struct State {
  Time time = 0;
  Gain gain = 0;
};
// Both members strictly ascending.
using Front = std::vector<State>;
// [i]: the first i requests are decided.
using Fronts = std::vector<Front>;

// What a front longer than the limit is cut to.
enum class Cut {
  kRaise,  // neighbours become one that is better than both: the result is a bound
  kDrop,   // the least promising are forgotten: the result is attained
};

struct PassLimits {
  Cut cut = Cut::kRaise;
  size_t front = 64;                // states kept for each i
  const Fronts* rest = nullptr;     // fronts of the reversed problem, above the truth: what is still to be earned
  Gain attained = 0;                // states that cannot exceed it are forgotten; needs `rest`
  bool keep_fronts = false;
};

struct PassResult {
  Gain best = 0;     // at least `attained`
  bool cut = false;  // some front was longer than the limit, so that the result need not be the optimum
  Fronts fronts;
};

// The candidates for one front. Cells of time bound their number: two candidates of one cell, neither better than the
// other, become one that is better than both (or, of attained ones, the one with more gain). Cells begin at multiples
// of their width, so that a state handed from front to front loses to one cell once and not every time.
class Candidates {
 public:
  // Times given must span less than `cells` << `shift`; `cells` is a power of two.
  Candidates(size_t cells, int shift, Cut cut) : shift_(shift), cut_(cut), cells_(cells, kNone) {}

  void Start(Time from) {
    from_ = from;
    first_ = from >> shift_;
    last_ = first_;
  }

  void Add(Time time, Gain gain) {
    time = std::max(time, from_);
    const int64_t c = time >> shift_;
    last_ = std::max(last_, c + 1);
    State& cell = cells_[static_cast<size_t>(c) & (cells_.size() - 1)];
    if (cut_ == Cut::kRaise) {
      merged_ |= (time < cell.time) != (gain > cell.gain) && time != cell.time && gain != cell.gain;
      cell.time = std::min(cell.time, time);
      cell.gain = std::max(cell.gain, gain);
    } else if (gain > cell.gain || (gain == cell.gain && time < cell.time)) {
      cell = {time, gain};
    }
  }

  // Hands over the front and is empty again.
  void Take(Front& front) {
    front.clear();
    for (int64_t c = first_; c < last_; ++c) {
      State& cell = cells_[static_cast<size_t>(c) & (cells_.size() - 1)];
      if (cell.gain > (front.empty() ? -1 : front.back().gain)) front.push_back(cell);
      cell = kNone;
    }
    last_ = first_;
  }

  bool merged() const { return merged_; }

 private:
  static constexpr State kNone{.time = kLatest, .gain = -1};
  int shift_;
  Cut cut_;
  Time from_ = 0;
  int64_t first_ = 0;
  int64_t last_ = 0;
  bool merged_ = false;
  std::vector<State> cells_;
};

// The most that the remaining requests can earn when the slot is free at `time`; `rest` is a front of the reversed
// problem, so it has the negated latest instants to start from. `from` is where an earlier call with a time not after
// this one ended: it walks down from the back.
Gain StillToEarn(const Front& rest, Time time, size_t& from) {
  while (from > 0 && rest[from - 1].time > -time) --from;
  return from > 0 ? rest[from - 1].gain : -1;
}

// Forgets states that cannot earn more than `limits.attained`, then cuts to `limits.front`. True if it cut.
bool Shorten(const PassLimits& limits, const Front* rest, Front& front) {
  std::vector<Gain> hope;
  if (rest != nullptr) {
    size_t from = rest->size();
    size_t kept = 0;
    for (const State& state : front) {
      const Gain more = StillToEarn(*rest, state.time, from);
      if (more < 0 || state.gain + more <= limits.attained) continue;
      front[kept++] = state;
      hope.push_back(state.gain + more);
    }
    front.resize(kept);
  }
  if (front.size() <= limits.front) return false;
  if (limits.cut == Cut::kDrop) {
    if (rest == nullptr) {
      for (size_t i = 0; i < limits.front; ++i) front[i] = front[(i + 1) * front.size() / limits.front - 1];
      front.resize(limits.front);
      return true;
    }
    std::vector<Gain> sorted = hope;
    std::nth_element(sorted.begin(), sorted.begin() + (limits.front - 1), sorted.end(), std::greater<>());
    const Gain least = sorted[limits.front - 1];
    size_t kept = 0;
    for (size_t i = 0; i < front.size() && kept < limits.front; ++i) {
      if (hope[i] >= least) front[kept++] = front[i];
    }
    front.resize(kept);
    return true;
  }
  // Groups lie between multiples of a power of two of gain, the least with few enough groups. Multiples, so that a
  // state handed from front to front is raised once and not every time.
  const auto groups = [&front](int bits) {
    size_t count = 1;
    for (size_t i = 1; i < front.size(); ++i) count += front[i].gain >> bits != front[i - 1].gain >> bits;
    return count;
  };
  int bits = 0;
  while (groups(bits) > limits.front) ++bits;
  size_t kept = 0;
  for (size_t i = 0; i < front.size(); ++i) {
    if (i > 0 && front[i].gain >> bits == front[kept - 1].gain >> bits) {
      front[kept - 1].gain = front[i].gain;
    } else {
      front[kept++] = front[i];
    }
  }
  front.resize(kept);
  return true;
}

// What is worth keeping of both, at `from` at the earliest.
Front Merged(const Front& a, const Front& b, Time from) {
  Front merged;
  merged.reserve(a.size() + b.size());
  const auto add = [&](State state) {
    state.time = std::max(state.time, from);
    if (!merged.empty() && state.gain <= merged.back().gain) return;
    if (!merged.empty() && state.time == merged.back().time) merged.pop_back();
    merged.push_back(state);
  };
  auto i = a.begin();
  auto j = b.begin();
  while (i != a.end() || j != b.end()) {
    const bool from_a = j == b.end() || (i != a.end() && i->time <= j->time);
    add(from_a ? *i++ : *j++);
  }
  return merged;
}

// Earns from left to right. Every batch is a run of consecutive requests (see OptimumOf), started as soon as the slot
// is free and its last member is there.
PassResult Pass(const Ordered& problem, const PassLimits& limits) {
  const int n = problem.size();
  const int max_batch = problem.max_batch();
  PassResult result{.best = limits.attained};
  if (limits.keep_fronts) result.fronts.resize(n + 1);

  constexpr size_t cells = 2048;
  Time span = 0;
  for (int i = 0; i < n; ++i) span = std::max(span, problem.deadline[i] - problem.arrival[i]);
  int shift = 0;
  while (static_cast<size_t>(span >> shift) + 2 > cells) ++shift;
  // Ended: request i - 1 was in a batch. Passed: it was dropped, and the next batch ends after its deadline.
  std::vector<Candidates> ended_at(max_batch + 1, Candidates(cells, shift, limits.cut));
  const auto begin = [&](int i) { return problem.arrival[std::min(i, n - 1)]; };
  for (int i = 0; i <= std::min(n, max_batch); ++i) ended_at[i % (max_batch + 1)].Start(begin(i));
  ended_at[0].Add(problem.arrival[0], 0);

  Front ended;
  Front passed;
  for (int i = 0; i <= n; ++i) {
    const Front* rest = limits.rest != nullptr ? &(*limits.rest)[n - i] : nullptr;
    ended_at[i % (max_batch + 1)].Take(ended);
    result.cut |= Shorten(limits, rest, ended);
    PassLimits uncut = limits;
    uncut.front = std::numeric_limits<size_t>::max();
    Shorten(uncut, rest, passed);
    if (limits.keep_fronts) {
      result.fronts[i] = Merged(ended, passed, kEarliest);
    }
    if (i == n) {
      if (!ended.empty()) result.best = std::max(result.best, ended.back().gain);
      if (!passed.empty()) result.best = std::max(result.best, passed.back().gain);
      break;
    }
    if (i + max_batch + 1 <= n) ended_at[i % (max_batch + 1)].Start(begin(i + max_batch + 1));
    const Time deadline = problem.deadline[i];
    const Time dropped = i > 0 ? problem.deadline[i - 1] : kEarliest;
    size_t first = 0;
    size_t first_passed = 0;
    for (int k = 1; k <= std::min(max_batch, n - i); ++k) {
      const Time ready = problem.arrival[i + k - 1];
      if (ready + problem.options[k].front().latency > deadline) break;
      // Of the states before `ready` the last has earned the most and waits the least.
      while (first + 1 < ended.size() && ended[first + 1].time <= ready) ++first;
      while (first_passed + 1 < passed.size() && passed[first_passed + 1].time <= ready) ++first_passed;
      Candidates& after = ended_at[(i + k) % (max_batch + 1)];
      for (const Option& option : problem.options[k]) {
        const Time latest = deadline - option.latency;
        if (ready > latest) break;
        for (size_t s = first; s < ended.size(); ++s) {
          const Time start = std::max(ended[s].time, ready);
          if (start > latest) break;
          after.Add(start + option.latency, ended[s].gain + option.gain);
        }
        // Those that end after the dropped one's deadline.
        auto state = std::partition_point(passed.begin() + first_passed, passed.end(), [&](const State& state) {
          return std::max(state.time, ready) + option.latency <= dropped;
        });
        for (; state != passed.end(); ++state) {
          const Time start = std::max(state->time, ready);
          if (start > latest) break;
          after.Add(start + option.latency, state->gain + option.gain);
        }
      }
    }
    passed = Merged(ended, passed, begin(i + 1));
  }
  for (const Candidates& candidates : ended_at) result.cut |= candidates.merged();
  return result;
}

struct Optimum {
  Gain bound = 0;
  Gain attained = 0;
};

Optimum OptimumOf(const Ordered& problem) {
  if (problem.size() == 0 || problem.max_batch() < 1 || problem.options[1].empty()) return {};
  const PassResult backward = Pass(Reversed(problem), {.front = 64, .keep_fronts = true});
  if (!backward.cut) return {.bound = backward.best, .attained = backward.best};
  const Gain attained = Pass(problem, {.cut = Cut::kDrop, .front = 32, .rest = &backward.fronts}).best;
  const PassResult forward = Pass(problem, {.front = 128, .rest = &backward.fronts, .attained = attained});
  if (!forward.cut) return {.bound = forward.best, .attained = forward.best};
  return {.bound = std::min(backward.best, forward.best), .attained = attained};
}

}  // namespace

UtilityBound BoundUtility(const Profile& profile, std::span<const OfferedRequest> requests, int slots) {
  std::vector<Window> windows;
  for (const OfferedRequest& request : requests) {
    const PointSet allowed = PointsAbove(profile, request.min_accuracy);
    if (allowed.empty()) continue;
    windows.push_back({.arrival = request.arrival.time_since_epoch().count(),
                       .deadline = request.deadline.time_since_epoch().count(),
                       .allowed = allowed});
  }
  if (windows.empty()) return {.exact = true};
  std::sort(windows.begin(), windows.end(), [](const Window& a, const Window& b) {
    return a.arrival != b.arrival ? a.arrival < b.arrival : a.deadline < b.deadline;
  });
  // Past the last instant of all others, whatever remains can run one by one: no deadline is as good as this one.
  Time last = windows.back().arrival;
  Time longest = 0;
  for (const Window& window : windows) {
    if (window.deadline != kNever.time_since_epoch().count()) last = std::max(last, window.deadline);
  }
  for (const std::vector<Duration>& row : profile.latency) {
    for (const Duration latency : row) longest = std::max<Time>(longest, latency.count());
  }
  const Time far = last + longest * static_cast<Time>(windows.size() + 1);
  for (Window& window : windows) window.deadline = std::min(window.deadline, far);

  // Accepting more points, having more time: whatever was possible still is.
  bool exact = slots == 1;
  PointSet allowed;
  for (const Window& window : windows) {
    exact &= window.allowed == windows[0].allowed;
    for (size_t p = 0; p < profile.points.size(); ++p) {
      const PointId point = ToPointId(static_cast<int>(p));
      if (window.allowed.Contains(point)) allowed = allowed.With(point);
    }
  }
  Ordered problem{.options = MakeOptions(profile, allowed)};
  Time deadline = kEarliest;
  Time widest = 0;
  for (const Window& window : windows) {
    exact &= window.deadline >= deadline;
    deadline = std::max(deadline, window.deadline);
    widest = std::max(widest, window.deadline - window.arrival);
    problem.arrival.push_back(window.arrival);
    problem.deadline.push_back(deadline);
  }
  // Several slots as one that is as many times as fast. Let it run the batches of a schedule, each from its start on,
  // in the order of their ends, without a break. At most one batch delays another that ends before it, so each is done
  // no later than its end and the longest run: the deadlines are moved by that. (Take a batch B, and the last instant
  // before its new end at which a batch that ended after B was begun or the slot had nothing to do: what runs since was
  // started after it and ended by B's end in the schedule, and the slots had room for it there.)
  if (slots > 1) {
    Time longest_run = 0;
    for (std::vector<Option>& options : problem.options) {
      std::erase_if(options, [widest](const Option& option) { return option.latency > widest; });
      for (Option& option : options) {
        option.latency /= slots;
        longest_run = std::max(longest_run, option.latency + 1);
      }
    }
    while (problem.options.size() > 1 && problem.options.back().empty()) problem.options.pop_back();
    for (Time& deadline : problem.deadline) deadline += longest_run;
  }
  const Optimum optimum = OptimumOf(problem);
  return {.sum = static_cast<double>(optimum.bound) / kGainsPerUnit,
          .exact = exact && optimum.bound == optimum.attained,
          .attained = exact ? static_cast<double>(optimum.attained) / kGainsPerUnit : 0};
}

}  // namespace anybit::sim
