// The quantile that predictions and margins go by: what all but one in twenty keep to.
#ifndef ANYBIT_SCHEDULER_LATENCY_QUANTILE_H_
#define ANYBIT_SCHEDULER_LATENCY_QUANTILE_H_

#include <algorithm>
#include <cstddef>

namespace anybit::scheduler {

// Noise with a long tail has little scatter near its median, so the median and the scatter do not tell.
inline constexpr size_t kHoldsForPercent = 95;

// The rank, from 0, among `count` >= 1 sorted values of the least that so many of a hundred are not above; but the
// largest of several values is never taken. Of fewer than twenty values the largest would be the quantile, and one
// outlier would be all that deadlines are kept by.
constexpr size_t RankHolding(size_t count, size_t percent = kHoldsForPercent) {
  const size_t rank = (count * percent + 99) / 100 - 1;
  return count < 2 ? rank : std::min(rank, count - 2);
}

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_LATENCY_QUANTILE_H_
