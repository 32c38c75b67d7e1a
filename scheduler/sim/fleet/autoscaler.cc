#include "scheduler/sim/fleet/autoscaler.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdlib>

namespace anybit::scheduler::sim {
namespace {

// ceil(x), but for the rounding of a product that is a whole number.
int CeilOf(double x) { return static_cast<int>(std::ceil(x - 1e-9)); }

}  // namespace

// Pods without a value are taken to be such that less is changed: at the target when replicas would be removed, idle
// when some would be added. Starting pods are taken to be idle when some would be added. If that turns the wish around,
// nothing is changed.
int WantedReplicas(std::span<const std::optional<double>> values, int starting, double target, double tolerance) {
  const int current = static_cast<int>(values.size()) + starting;
  double sum = 0;
  int measured = 0;
  for (const std::optional<double>& value : values) {
    if (!value) continue;
    sum += *value;
    ++measured;
  }
  if (measured == 0) return current;
  const double ratio = sum / measured / target;
  const int missing = static_cast<int>(values.size()) - measured;
  const bool up = ratio > 1;
  const bool counts_starting = up && starting > 0;
  if (missing == 0 && !counts_starting) {
    if (std::abs(ratio - 1) <= tolerance) return current;
    return CeilOf(ratio * measured);
  }
  const int pods = measured + missing + (counts_starting ? starting : 0);
  const double cautious = (sum + (up ? 0 : missing * target)) / pods / target;
  if (std::abs(cautious - 1) <= tolerance || (cautious > 1) != up) return current;
  const int wanted = CeilOf(cautious * pods);
  return up ? std::max(wanted, current) : std::min(wanted, current);
}

int Autoscaler::Decide(MonoTime now, std::span<const PodReading> pods) {
  const int current = static_cast<int>(pods.size());
  const auto ready =
      static_cast<int>(std::count_if(pods.begin(), pods.end(), [](const auto& pod) { return pod.ready; }));
  int wanted = 0;
  for (size_t m = 0; m < options_.targets.size(); ++m) {
    std::vector<std::optional<double>> values;
    for (const PodReading& pod : pods) {
      if (pod.ready) values.push_back(pod.values[m]);
    }
    wanted = std::max(wanted, WantedReplicas(values, current - ready, options_.targets[m], options_.tolerance));
  }
  wanted = std::clamp(wanted, options_.min_replicas, options_.max_replicas);
  const int decided = Limit(now, current, Stabilize(now, current, wanted));
  if (decided != current) changes_.push_back({now, decided - current});
  const Duration longest = std::max(options_.up.period, options_.down.period);
  while (!changes_.empty() && changes_.front().at <= now - longest) changes_.pop_front();
  return decided;
}

// Up only to the least that was wanted in the window for adding, down only to the most in that for removing.
int Autoscaler::Stabilize(MonoTime now, int current, int wanted) {
  recommended_.push_back({now, wanted});
  const Duration longest = std::max(options_.up_window, options_.down_window);
  while (recommended_.front().at < now - longest) recommended_.pop_front();
  int least = wanted;
  int most = wanted;
  for (const Dated& past : recommended_) {
    if (past.at >= now - options_.up_window) least = std::min(least, past.replicas);
    if (past.at >= now - options_.down_window) most = std::max(most, past.replicas);
  }
  if (current < least) return least;
  return std::min(current, most);
}

int Autoscaler::ChangedSince(MonoTime begin, bool up) const {
  int changed = 0;
  for (const Dated& change : changes_) {
    if (change.at > begin && (change.replicas > 0) == up) changed += std::abs(change.replicas);
  }
  return changed;
}

int Autoscaler::Limit(MonoTime now, int current, int wanted) const {
  if (wanted > current) {
    const int before = current - ChangedSince(now - options_.up.period, true);
    const int most = std::max(before + options_.up.pods, CeilOf(before * (1 + options_.up.share)));
    return std::clamp(wanted, current, std::max(current, most));
  }
  const int before = current + ChangedSince(now - options_.down.period, false);
  const int least = std::min(before - options_.down.pods, static_cast<int>(before * (1 - options_.down.share)));
  return std::clamp(wanted, std::min(current, least), current);
}

}  // namespace anybit::scheduler::sim
