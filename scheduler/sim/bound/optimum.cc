#include "scheduler/sim/bound/optimum.h"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "scheduler/sim/bound/candidates.h"
#include "scheduler/sim/bound/front.h"

namespace anybit::scheduler::sim::bound {
namespace {

// The gap between bound and optimum, as a share of the bound, from which on no more work is spent on it.
constexpr double kSmallGap = 5e-4;

// [i]: the first i requests are decided.
using Fronts = std::vector<Front>;

struct PassLimits {
  Cut cut = Cut::kRaise;
  size_t front = 64;              // states kept for each i
  const Fronts* rest = nullptr;   // fronts of the reversed problem, above the truth: the gain still to come
  const Fronts* guide = nullptr;  // like `rest`, but only to tell what is promising; without it `rest` is taken
  Gain attained = 0;              // states that cannot exceed it are forgotten; needs `rest`
  bool keep_fronts = false;
};

struct PassResult {
  Gain best = 0;     // at least `attained`
  bool cut = false;  // some front was longer than the limit, so that the result need not be the optimum
  Fronts fronts;
};

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

// Forgets states that lead to nothing better than is attained, with `left` requests to come, and cuts the front to its
// limit. Returns whether it was cut.
bool Trim(const PassLimits& limits, int left, Source& here) {
  if (limits.rest != nullptr) {
    ForgetHopeless((*limits.rest)[left], limits.attained, here.ended);
    ForgetHopeless((*limits.rest)[left], limits.attained, here.passed);
  }
  // Passed states are many but cheap: few batches end between two deadlines. They are never cut.
  if (here.ended.size() <= limits.front) return false;
  if (limits.cut == Cut::kRaise) {
    RaiseNeighbours(limits.front, here.ended);
  } else {
    const Fronts* guide = limits.guide != nullptr ? limits.guide : limits.rest;
    KeepPromising(guide != nullptr ? &(*guide)[left] : nullptr, limits.front, here.ended);
  }
  return true;
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
    result.cut |= Trim(limits, n - i, here);
    if (limits.keep_fronts) result.fronts[i] = Merged(here.ended, here.passed, kEarliest);
  }
  result.cut |= candidates.dropped();
  const Source& end = sources[n % (max_batch + 1)];
  if (!end.ended.empty()) result.best = std::max(result.best, end.ended.back().gain);
  if (!end.passed.empty()) result.best = std::max(result.best, end.passed.back().gain);
  return result;
}

}  // namespace

// Why runs of consecutive requests suffice. Take two batches of a schedule, B before C. Give B the earliest of their
// members and C the rest, with unchanged sizes. B's latest arrival does not become later; a member that moved from C to
// B has a deadline after C's end. C's latest arrivals were in C before; a member that moved from B to C has arrived by
// B's start, and C's earliest deadline does not become earlier. Repeated, this divides the requests in their order. A
// dropped request between the members of a batch replaces the earliest of them.
//
// Why a batch after dropped requests ends after their deadlines. Otherwise the last dropped request takes the place of
// the batch's last member, which is dropped instead, at no loss. This ends, because the dropped requests become later.
// So few batches can follow a dropped request, and at overload the fronts stay short. The rule limits what may follow,
// so states that dropped a request may be dominated by others, but not the other way round.
Optimum OptimumOf(const Ordered& problem, Gain bound) {
  if (problem.size() == 0 || problem.max_batch() < 1 || problem.options[1].empty()) return {};
  const Ordered reversed = Reversed(problem);
  // What is attained from each state on shows which states are promising.
  const PassResult after = Pass(reversed, {.cut = Cut::kDrop, .front = 10, .keep_fronts = true});
  if (!after.cut) return {.bound = after.best, .attained = after.best};
  Gain attained = Pass(problem, {.cut = Cut::kDrop, .front = 16, .guide = &after.fronts, .attained = after.best}).best;
  const auto is_close = [&] { return static_cast<double>(bound - attained) < kSmallGap * static_cast<double>(bound); };
  if (is_close()) return {.bound = bound, .attained = attained};
  // Each pass forgets the states that the pass before shows to be of no use, and so can tell more of the others apart.
  // Where the first pass is no better than `bound`, fronts are far too long for that.
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

}  // namespace anybit::scheduler::sim::bound
