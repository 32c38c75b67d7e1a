// The quantile that predictions and margins go by: what all but one in twenty keep to.
#ifndef ANYBIT_SCHEDULER_QUANTILE_H_
#define ANYBIT_SCHEDULER_QUANTILE_H_

#include <cstddef>

namespace anybit {

// Noise with a long tail has little scatter near its median, so the median and the scatter do not tell.
inline constexpr size_t kHoldsForPercent = 95;

// The rank, from 0, among `count` >= 1 sorted values of the least that so many of a hundred are not above.
constexpr size_t RankHolding(size_t count) { return (count * kHoldsForPercent + 99) / 100 - 1; }

}  // namespace anybit

#endif  // ANYBIT_SCHEDULER_QUANTILE_H_
