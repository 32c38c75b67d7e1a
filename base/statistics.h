// Order statistics of measured values in place: of a vector, an array or a span, which they reorder.
#ifndef ANYBIT_BASE_STATISTICS_H_
#define ANYBIT_BASE_STATISTICS_H_

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <vector>

namespace anybit {

// The value at `rank`, from 0, in ascending order; rank < values.size(). Reorders `values`.
template <typename Values>
auto ValueAtRank(Values&& values, size_t rank) {
  const auto place = values.begin() + static_cast<ptrdiff_t>(rank);
  std::nth_element(values.begin(), place, values.end());
  return *place;
}

// The quantile by nearest rank: the smallest of `values` that at least `share`, in (0, 1], of them do not exceed.
// `values` is not empty; it is reordered.
template <typename Values>
auto Quantile(Values&& values, double share) {
  const double rank = std::ceil(share * static_cast<double>(values.size()) - 1e-9);  // .07 * 100 is above 7
  return ValueAtRank(
      values, static_cast<size_t>(std::clamp<ptrdiff_t>(static_cast<ptrdiff_t>(rank) - 1, 0, std::ssize(values) - 1)));
}

// The middle value of an odd number, the lower of the two middle ones of an even number. Not empty; reordered.
template <typename Values>
auto Median(Values&& values) {
  return ValueAtRank(values, (values.size() - 1) / 2);
}

// As Median, but the upper of the two middle ones: the latency model's corrections err to the safe side with it.
template <typename Values>
auto UpperMedian(Values&& values) {
  return ValueAtRank(values, values.size() / 2);
}

}  // namespace anybit

#endif  // ANYBIT_BASE_STATISTICS_H_
