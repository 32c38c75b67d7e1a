#include "scheduler/sim/bound/bound.h"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "scheduler/sim/bound/fluid_bound.h"
#include "scheduler/sim/bound/optimum.h"
#include "scheduler/sim/bound/problem.h"

namespace anybit::scheduler::sim {
namespace {

using bound::Gain;
using bound::kEarliest;
using bound::kGainsPerUnit;
using bound::Option;
using bound::Ordered;
using bound::Time;
using bound::Window;

// By arrival. A request without a deadline gets one as good: past the last instant of all others, the rest can run one
// by one.
std::vector<Window> WindowsOf(const Profile& profile, std::span<const OfferedRequest> requests) {
  std::vector<Window> windows;
  for (const OfferedRequest& request : requests) {
    const PointSet allowed = PointsAbove(profile, request.min_accuracy);
    if (allowed.empty()) continue;
    windows.push_back({.arrival = request.arrival.time_since_epoch().count(),
                       .deadline = request.deadline.time_since_epoch().count(),
                       .allowed = allowed});
  }
  if (windows.empty()) return windows;
  std::sort(windows.begin(), windows.end(), [](const Window& a, const Window& b) {
    return a.arrival != b.arrival ? a.arrival < b.arrival : a.deadline < b.deadline;
  });
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
  return windows;
}

struct Relaxed {
  Ordered problem;
  bool exact = true;  // nothing was relaxed
  Time widest = 0;    // from an arrival to its deadline
};

// Every request accepts all points that some request accepts, and no deadline is before that of an earlier arrival:
// whatever was possible still is.
Relaxed RelaxedToOrder(const Profile& profile, const std::vector<Window>& windows) {
  bool exact = true;
  PointSet allowed;
  for (const Window& window : windows) {
    exact &= window.allowed == windows[0].allowed;
    for (size_t p = 0; p < profile.points.size(); ++p) {
      const PointId point = ToPointId(static_cast<int>(p));
      if (window.allowed.Contains(point)) allowed = allowed.With(point);
    }
  }
  Relaxed relaxed{.problem = {.options = bound::MakeOptions(profile, allowed)}, .exact = exact};
  Time deadline = kEarliest;
  for (const Window& window : windows) {
    relaxed.exact &= window.deadline >= deadline;
    deadline = std::max(deadline, window.deadline);
    relaxed.widest = std::max(relaxed.widest, window.deadline - window.arrival);
    relaxed.problem.arrival.push_back(window.arrival);
    relaxed.problem.deadline.push_back(deadline);
  }
  return relaxed;
}

// Several slots become one that is as many times as fast. It runs the batches of a schedule, each from its start on, in
// the order of their ends, without a break. At most one batch delays another that ends before it, so each is done no
// later than its end and the longest run: the deadlines are moved by that. (Take a batch B, and the last instant before
// its new end at which a batch that ended after B was begun or the slot was idle. A batch that runs since was started
// after it and ended by B's end in the schedule, and the slots had room for it there.)
void MergeSlots(int slots, Time widest, Ordered& problem) {
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

}  // namespace

UtilityBound BoundUtility(const Profile& profile, std::span<const OfferedRequest> requests, int slots) {
  const std::vector<Window> windows = WindowsOf(profile, requests);
  if (windows.empty()) return {.exact = true};
  Relaxed relaxed = RelaxedToOrder(profile, windows);
  if (slots > 1) MergeSlots(slots, relaxed.widest, relaxed.problem);
  const bool exact = slots == 1 && relaxed.exact;
  const Gain fluid = FluidBound(profile, windows, slots);
  const bound::Optimum optimum = OptimumOf(relaxed.problem, fluid);
  return {.sum = static_cast<double>(std::min(fluid, optimum.bound)) / kGainsPerUnit,
          .exact = exact && optimum.bound == optimum.attained,
          .attained = exact ? static_cast<double>(optimum.attained) / kGainsPerUnit : 0};
}

}  // namespace anybit::scheduler::sim
