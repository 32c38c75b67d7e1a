// The percentile of predictions and margins.
#ifndef ANYBIT_SCHEDULER_LATENCY_QUANTILE_H_
#define ANYBIT_SCHEDULER_LATENCY_QUANTILE_H_

#include <algorithm>
#include <cstddef>

namespace anybit::scheduler {

// One value in twenty is above it. Noise with a long tail has little scatter near its median, so a prediction from the
// median and the scatter would be too low.
inline constexpr size_t kPredictionPercentile = 95;

// The rank, from 0, of a percentile among `count` >= 1 sorted values, but never that of the largest of several. Of
// fewer than twenty values the percentile would be the largest, and one outlier would set the prediction.
constexpr size_t PercentileRank(size_t count, size_t percent = kPredictionPercentile) {
  const size_t rank = (count * percent + 99) / 100 - 1;
  return count < 2 ? rank : std::min(rank, count - 2);
}

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_LATENCY_QUANTILE_H_
