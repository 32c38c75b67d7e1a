// Ratios between times, in thousandths. Integers only, so equal histories give equal predictions on every machine.
#ifndef ANYBIT_SCHEDULER_LATENCY_PERMILLE_H_
#define ANYBIT_SCHEDULER_LATENCY_PERMILLE_H_

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "base/time.h"

namespace anybit::scheduler {

// The ratio of a time to itself.
inline constexpr int kUnityPermille = 1000;

// A batch that seems a thousand times slower than its profile tells of a stopped process, not of the network.
inline constexpr int kMaxPermille = 1000 * kUnityPermille;

// Times are held below an hour, so that products with a ratio and sums of a few times cannot overflow.
inline constexpr Duration kMaxTime = std::chrono::hours(1);

constexpr int ClampPermille(int64_t permille) {
  return static_cast<int>(std::clamp<int64_t>(permille, 1, kMaxPermille));
}

// actual / reference, rounded up, at least 1.
constexpr int RatioPermille(Duration actual, Duration reference) {
  const int64_t a = std::clamp(actual, Duration::zero(), kMaxTime).count();
  const int64_t r = std::clamp(reference, Duration(1), kMaxTime).count();
  return ClampPermille((a * kUnityPermille + r - 1) / r);
}

// time * permille / 1000, rounded up.
constexpr Duration Scaled(Duration time, int permille) {
  const int64_t t = std::min(time, kMaxTime).count();
  return std::min(Duration((t * permille + kUnityPermille - 1) / kUnityPermille), kMaxTime);
}

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_LATENCY_PERMILLE_H_
