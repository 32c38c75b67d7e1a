#include "scheduler/sim/bound/bound.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <queue>
#include <utility>
#include <vector>

namespace anybit::sim {
namespace {

// Nanoseconds. Differences only are used, so that any origin does.
using Time = int64_t;
// Utility in 1e-9, each accuracy rounded up: sums in any order are equal, and err upwards by below 1e-9 a request.
using Gain = int64_t;
constexpr double kGainsPerUnit = 1e9;

// Of the bound, what it may exceed the optimum by before more work is spent on it.
constexpr double kSmallGap = 5e-4;

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
  size_t front = 64;              // states kept for each i
  const Fronts* rest = nullptr;   // fronts of the reversed problem, above the truth: what is still to be earned
  const Fronts* guide = nullptr;  // like `rest`, but only to tell what is promising; without it `rest` is taken
  Gain attained = 0;              // states that cannot exceed it are forgotten; needs `rest`
  bool keep_fronts = false;
};

struct PassResult {
  Gain best = 0;     // at least `attained`
  bool cut = false;  // some front was longer than the limit, so that the result need not be the optimum
  Fronts fronts;
};

// Gathers the candidates for one front. Cells of time, each with the candidate that earned most in it, spare most of
// the others the sorting. For Cut::kDrop these are all that is kept.
class Candidates {
 public:
  Candidates(Time span, Cut cut) : cut_(cut) {
    while ((span >> shift_) + 2 > static_cast<Time>(kCells)) ++shift_;
    cells_.resize(kCells + 1);
  }

  // For states from `from` to `until`, which are no further apart than the constructor's span. `rest` and `attained`
  // as in PassLimits, `rest` for this front or null.
  void Start(Time from, Time until, const Front* rest, Gain attained) {
    from_ = from;
    used_ = std::min(static_cast<size_t>((std::max(until, from) - from) >> shift_) + 2, kCells + 1);
    found_.clear();
    // cells_[0] is before all; what cannot exceed `attained` from a cell's start on is as good as dominated.
    cells_[0] = {.time = kLatest, .gain = -1};
    size_t r = rest != nullptr ? rest->size() : 0;
    for (size_t c = 1; c < used_; ++c) {
      Gain need = -1;
      if (rest != nullptr) {
        const Time start = from_ + (static_cast<Time>(c - 1) << shift_);
        while (r > 0 && (*rest)[r - 1].time > -start) --r;
        need = r > 0 ? attained - (*rest)[r - 1].gain : std::numeric_limits<Gain>::max();
      }
      cells_[c] = {.time = kLatest, .gain = need};
    }
  }

  void Add(Time time, Gain gain) {
    time = std::max(time, from_);
    const size_t c = static_cast<size_t>((time - from_) >> shift_) + 1;
    State& cell = cells_[c];
    if (gain <= cells_[c - 1].gain && cells_[c - 1].time != kLatest) return;
    if (gain <= cell.gain && (time >= cell.time || cell.time == kLatest)) return;
    if (cut_ == Cut::kDrop) {
      const bool either = gain < cell.gain || (cell.time != kLatest && time > cell.time);
      dropped_ |= either;
      if (gain >= cell.gain) cell = {time, gain};
      return;
    }
    if (gain > cell.gain) cell = {time, gain};
    found_.push_back({time, gain});
  }

  void Take(Front& front) {
    if (cut_ == Cut::kDrop) {
      front.clear();
      for (size_t c = 1; c < used_; ++c) {
        const State& cell = cells_[c];
        if (cell.time != kLatest && (front.empty() || cell.gain > front.back().gain)) front.push_back(cell);
      }
      return;
    }
    Gain best = -1;
    for (size_t c = 0; c < used_; ++c) {
      if (cells_[c].time != kLatest) best = std::max(best, cells_[c].gain);
      cells_[c].gain = best;
    }
    std::erase_if(found_, [this](const State& state) {
      return state.gain <= cells_[static_cast<size_t>((state.time - from_) >> shift_)].gain;
    });
    std::sort(found_.begin(), found_.end(),
              [](const State& a, const State& b) { return a.time != b.time ? a.time < b.time : a.gain > b.gain; });
    front.clear();
    for (const State& state : found_) {
      if (front.empty() || state.gain > front.back().gain) front.push_back(state);
    }
  }

  // Whether one of two candidates was dropped although neither was better.
  bool dropped() const { return dropped_; }

 private:
  static constexpr size_t kCells = 1024;
  Cut cut_;
  bool dropped_ = false;
  int shift_ = 0;
  Time from_ = 0;
  size_t used_ = 0;
  std::vector<State> cells_;
  std::vector<State> found_;
};

// What the remaining requests earn when the slot is free at `time`, or -1; `rest` is a front of the reversed problem,
// so it has the negated latest instants to start from. `from` begins as its size, and times ascend from call to call.
Gain StillToEarn(const Front& rest, Time time, size_t& from) {
  while (from > 0 && rest[from - 1].time > -time) --from;
  return from > 0 ? rest[from - 1].gain : -1;
}

// The same, in lines from state to state instead of steps, which call unlike times equal.
Gain AboutToEarn(const Front& rest, Time time, size_t& from) {
  const Gain least = StillToEarn(rest, time, from);
  if (from == 0) return 0;
  if (from == rest.size()) return least;
  const State& below = rest[from - 1];
  const State& above = rest[from];
  const double part = static_cast<double>(-time - below.time) / static_cast<double>(above.time - below.time);
  return least + static_cast<Gain>(part * static_cast<double>(above.gain - below.gain));
}

void ForgetHopeless(const Front& rest, Gain attained, Front& front) {
  size_t from = rest.size();
  std::erase_if(front, [&](const State& state) {
    const Gain more = StillToEarn(rest, state.time, from);
    return more < 0 || state.gain + more <= attained;
  });
}

// Keeps `count` states, 2 or more: the most promising, or without a guide every so many.
void KeepPromising(const Front* guide, size_t count, Front& front) {
  if (guide == nullptr) {
    for (size_t i = 0; i < count; ++i) front[i] = front[i * (front.size() - 1) / (count - 1)];
    front.resize(count);
    return;
  }
  std::vector<Gain> hope;
  size_t from = guide->size();
  for (const State& state : front) hope.push_back(state.gain + AboutToEarn(*guide, state.time, from));
  std::vector<Gain> sorted = hope;
  std::nth_element(sorted.begin(), sorted.begin() + (count - 1), sorted.end(), std::greater<>());
  const Gain least = sorted[count - 1];
  size_t kept = 0;
  for (size_t i = 0; i < front.size() && kept < count; ++i) {
    if (hope[i] >= least) front[kept++] = front[i];
  }
  front.resize(kept);
}

// Replaces neighbours by one state that is better than all of them, until `count` are left. It has the earliest time
// and the greatest gain of its group, and errs by the gain the group spans: the least with few enough groups.
void RaiseNeighbours(size_t count, Front& front) {
  const auto raise = [&front](Gain error, Front* raised) {
    size_t groups = 0;
    for (size_t last = front.size(); last > 0; ++groups) {
      size_t first = last - 1;
      while (first > 0 && front[last - 1].gain - front[first - 1].gain <= error) --first;
      if (raised != nullptr) raised->push_back({.time = front[first].time, .gain = front[last - 1].gain});
      last = first;
    }
    return groups;
  };
  Gain high = (front.back().gain - front.front().gain) / static_cast<Gain>(count) + 1;
  Gain low = 0;
  for (int step = 0; step < 8 && high - low > 1; ++step) {
    const Gain middle = low + (high - low) / 2;
    (raise(middle, nullptr) <= count ? high : low) = middle;
  }
  Front raised;
  raise(high, &raised);
  std::reverse(raised.begin(), raised.end());
  front = std::move(raised);
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

// Where a batch that begins with request i can start from.
struct Source {
  Front ended;   // request i - 1 was in a batch
  Front passed;  // request i - 1 was dropped; the next batch ends after its deadline (see OptimumOf)
  // Of the states before the last member's arrival the last has earned the most and waits the least.
  size_t first_ended = 0;
  size_t first_passed = 0;
};

// Candidates of the batches that begin with request i and end with `last`.
void AddBatches(const Ordered& problem, int i, int last, Source& source, Candidates& after) {
  const Time ready = problem.arrival[last];
  const Time deadline = problem.deadline[i];
  const Time dropped = i > 0 ? problem.deadline[i - 1] : kEarliest;
  const Front& ended = source.ended;
  const Front& passed = source.passed;
  size_t& e = source.first_ended;
  size_t& p = source.first_passed;
  while (e + 1 < ended.size() && ended[e + 1].time <= ready) ++e;
  while (p + 1 < passed.size() && passed[p + 1].time <= ready) ++p;
  for (const Option& option : problem.options[last - i + 1]) {
    const Time latest = deadline - option.latency;
    if (ready > latest) break;
    for (size_t s = e; s < ended.size(); ++s) {
      const Time start = std::max(ended[s].time, ready);
      if (start > latest) break;
      after.Add(start + option.latency, ended[s].gain + option.gain);
    }
    auto state = std::partition_point(passed.begin() + p, passed.end(), [&](const State& state) {
      return std::max(state.time, ready) + option.latency <= dropped;
    });
    for (; state != passed.end(); ++state) {
      const Time start = std::max(state->time, ready);
      if (start > latest) break;
      after.Add(start + option.latency, state->gain + option.gain);
    }
  }
}

// Earns from left to right. Every batch is a run of consecutive requests (see OptimumOf), started as soon as the slot
// is free and its last member is there.
PassResult Pass(const Ordered& problem, const PassLimits& limits) {
  const int n = problem.size();
  const int max_batch = problem.max_batch();
  PassResult result{.best = limits.attained};
  if (limits.keep_fronts) result.fronts.resize(n + 1);

  Time span = 0;
  for (int i = 0; i < n; ++i) span = std::max(span, problem.deadline[i] - problem.arrival[i]);
  Candidates candidates(span, limits.cut);
  std::vector<Source> sources(max_batch + 1);
  sources[0].ended.push_back({.time = problem.arrival[0], .gain = 0});
  const Fronts* guide = limits.guide != nullptr ? limits.guide : limits.rest;
  for (int i = 0; i <= n; ++i) {
    const Front* rest = limits.rest != nullptr ? &(*limits.rest)[n - i] : nullptr;
    Source& here = sources[i % (max_batch + 1)];
    const Time from = problem.arrival[std::min(i, n - 1)];
    if (i > 0) {
      const Source& before = sources[(i - 1) % (max_batch + 1)];
      here.passed = Merged(before.ended, before.passed, from);
      candidates.Start(from, problem.deadline[i - 1], rest, limits.attained);
      for (int k = 1; k <= std::min(max_batch, i); ++k) {
        if (problem.arrival[i - 1] + problem.options[k].front().latency > problem.deadline[i - k]) break;
        Source& source = sources[(i - k) % (max_batch + 1)];
        if (!source.ended.empty() || !source.passed.empty()) AddBatches(problem, i - k, i - 1, source, candidates);
      }
      candidates.Take(here.ended);
    }
    here.first_ended = 0;
    here.first_passed = 0;
    if (rest != nullptr) {
      ForgetHopeless(*rest, limits.attained, here.ended);
      ForgetHopeless(*rest, limits.attained, here.passed);
    }
    // Passed states are many but cheap: few batches end between two deadlines. They are never cut.
    if (here.ended.size() > limits.front) {
      result.cut = true;
      if (limits.cut == Cut::kRaise) {
        RaiseNeighbours(limits.front, here.ended);
      } else {
        KeepPromising(guide != nullptr ? &(*guide)[n - i] : nullptr, limits.front, here.ended);
      }
    }
    if (limits.keep_fronts) result.fronts[i] = Merged(here.ended, here.passed, kEarliest);
  }
  result.cut |= candidates.dropped();
  const Source& end = sources[n % (max_batch + 1)];
  if (!end.ended.empty()) result.best = std::max(result.best, end.ended.back().gain);
  if (!end.passed.empty()) result.best = std::max(result.best, end.passed.back().gain);
  return result;
}

struct Optimum {
  Gain bound = 0;
  Gain attained = 0;
};

// Why runs of consecutive requests are enough. Take two batches of a schedule, B before C, and give B the earliest of
// their members, C the rest, as many as before. The latest of B arrives no later than the latest it had; who came to
// it from C has a deadline after C's end. C's latest arrivals could wait for C before; whoever came to it from B is
// there since B's start, and its earliest is no earlier than the earliest it had. Repeated, the batches divide the
// requests in their order. A dropped request among the members of a batch replaces the earliest of them.
//
// Why a batch after dropped requests ends after their deadlines. Otherwise the last dropped one takes the place of the
// batch's last member, which is dropped instead: at no loss, and that cannot be done for ever, as what is dropped
// becomes later. So few batches can follow a dropped request, and at overload the fronts stay short. As this limits
// what may follow, states that dropped a request may be dominated by others, but not the other way round.
//
// `bound` is one known already.
Optimum OptimumOf(const Ordered& problem, Gain bound) {
  if (problem.size() == 0 || problem.max_batch() < 1 || problem.options[1].empty()) return {};
  const Ordered reversed = Reversed(problem);
  // What is attained from each state on shows which states are promising.
  const PassResult after = Pass(reversed, {.cut = Cut::kDrop, .front = 10, .keep_fronts = true});
  if (!after.cut) return {.bound = after.best, .attained = after.best};
  Gain attained = Pass(problem, {.cut = Cut::kDrop, .front = 16, .guide = &after.fronts, .attained = after.best}).best;
  const auto is_close = [&] { return static_cast<double>(bound - attained) < kSmallGap * static_cast<double>(bound); };
  if (is_close()) return {.bound = bound, .attained = attained};
  // Each pass forgets the states that the one before shows to be of no use, and so can tell more of the others apart.
  // Where the first is no better than `bound`, fronts are far too long for that.
  PassResult known = Pass(reversed, {.front = 64, .keep_fronts = true});
  if (known.best >= bound) return {.bound = bound, .attained = attained};
  bound = known.best;
  for (const bool forward : {true, false}) {
    const Ordered& next = forward ? problem : reversed;
    attained = Pass(next, {.cut = Cut::kDrop, .front = 32, .rest = &known.fronts, .attained = attained}).best;
    if (is_close()) break;
    PassResult pass = Pass(next, {.front = 96, .rest = &known.fronts, .attained = attained, .keep_fronts = true});
    bound = std::min(bound, pass.best);
    if (!pass.cut) return {.bound = pass.best, .attained = pass.best};
    if (is_close()) break;
    known = std::move(pass);
  }
  return {.bound = bound, .attained = attained};
}

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
  const Gain fluid = FluidBound(profile, windows, slots);
  const Optimum optimum = OptimumOf(problem, fluid);
  return {.sum = static_cast<double>(std::min(fluid, optimum.bound)) / kGainsPerUnit,
          .exact = exact && optimum.bound == optimum.attained,
          .attained = exact ? static_cast<double>(optimum.attained) / kGainsPerUnit : 0};
}

}  // namespace anybit::sim
