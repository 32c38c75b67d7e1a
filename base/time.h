// Monotonic time as the scheduler sees it.
//
// MonoTime is a point on a clock that cannot be read here: the tag clock has no now(). Only an EventLoop makes values,
// real or simulated, so code that takes a MonoTime runs unchanged in virtual time.
// Wall time (gRPC deadlines, logs) is another type; nothing subtracts the two.
#ifndef ANYBIT_BASE_TIME_H_
#define ANYBIT_BASE_TIME_H_

#include <chrono>
#include <cstdint>

namespace anybit {

using Duration = std::chrono::nanoseconds;

struct MonoClock {
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<MonoClock>;
  static constexpr bool is_steady = true;
};

using MonoTime = MonoClock::time_point;

// Later than any instant that occurs: the deadline of a request that has none.
inline constexpr MonoTime kNever = MonoTime::max();

// time + delta, held inside [MonoTime::min(), kNever] instead of overflowing.
constexpr MonoTime SaturatingAdd(MonoTime time, Duration delta) {
  if (delta > Duration::zero() && time > kNever - delta) return kNever;
  if (delta < Duration::zero() && time < MonoTime::min() - delta) return MonoTime::min();
  return time + delta;
}

// when - now, held inside the range of Duration; Duration::max() if `when` is kNever.
constexpr Duration Until(MonoTime now, MonoTime when) {
  if (when == kNever) return Duration::max();
  const Duration from = now.time_since_epoch();
  const Duration to = when.time_since_epoch();
  if (from < Duration::zero() && to > Duration::max() + from) return Duration::max();
  if (from > Duration::zero() && to < Duration::min() + from) return Duration::min();
  return to - from;
}

// microseconds as a Duration, held inside the range of Duration instead of overflowing.
constexpr Duration SaturatingMicros(int64_t microseconds) {
  constexpr int64_t kLimit = Duration::max().count() / 1000;
  if (microseconds > kLimit) return Duration::max();
  if (microseconds < -kLimit) return Duration::min();
  return std::chrono::microseconds(microseconds);
}

// For reports only; decisions are taken on Durations.
constexpr double ToSeconds(Duration d) { return std::chrono::duration<double>(d).count(); }
constexpr int64_t ToMicros(Duration d) { return std::chrono::duration_cast<std::chrono::microseconds>(d).count(); }

}  // namespace anybit

#endif  // ANYBIT_BASE_TIME_H_
