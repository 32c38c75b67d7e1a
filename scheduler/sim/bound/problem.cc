#include "scheduler/sim/bound/problem.h"

#include <algorithm>
#include <cstddef>

namespace anybit::scheduler::sim::bound {
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

Ordered Reversed(const Ordered& forward) {
  const int n = forward.size();
  Ordered backward{.arrival = std::vector<Time>(n), .deadline = std::vector<Time>(n), .options = forward.options};
  for (int i = 0; i < n; ++i) {
    backward.arrival[i] = -forward.deadline[n - 1 - i];
    backward.deadline[i] = -forward.arrival[n - 1 - i];
  }
  return backward;
}

}  // namespace anybit::scheduler::sim::bound
