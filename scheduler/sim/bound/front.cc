#include "scheduler/sim/bound/front.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace anybit::scheduler::sim::bound {
namespace {

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

}  // namespace

void ForgetHopeless(const Front& rest, Gain attained, Front& front) {
  size_t from = rest.size();
  std::erase_if(front, [&](const State& state) {
    const Gain more = StillToEarn(rest, state.time, from);
    return more < 0 || state.gain + more <= attained;
  });
}

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

}  // namespace anybit::scheduler::sim::bound
