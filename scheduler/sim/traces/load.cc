#include "scheduler/sim/traces/load.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace anybit::scheduler::sim {

double Capacity(const Profile& profile, int slots) {
  double most = 0;  // rows per second of one slot
  for (const std::vector<Duration>& latencies : profile.latency) {
    for (size_t i = 0; i < latencies.size(); ++i) {
      most = std::max(most, static_cast<double>(i + 1) / ToSeconds(latencies[i]));
    }
  }
  return slots * most;
}

Duration DefaultObjective(const Profile& profile) {
  double best_accuracy = -1;
  Duration latency{};
  for (size_t p = 0; p < profile.points.size(); ++p) {
    const double accuracy = profile.points[p].accuracy;
    const Duration full = profile.latency[p].back();
    if (accuracy > best_accuracy || (accuracy == best_accuracy && full < latency)) {
      best_accuracy = accuracy;
      latency = full;
    }
  }
  return std::chrono::ceil<std::chrono::milliseconds>(latency * 5 / 2);
}

std::vector<OfferedRequest> RequestsAt(std::span<const MonoTime> arrivals, Duration objective) {
  std::vector<OfferedRequest> requests;
  requests.reserve(arrivals.size());
  for (const MonoTime arrival : arrivals) {
    requests.push_back({.id = static_cast<int64_t>(requests.size()),
                        .arrival = arrival,
                        .deadline = SaturatingAdd(arrival, objective)});
  }
  return requests;
}

}  // namespace anybit::scheduler::sim
