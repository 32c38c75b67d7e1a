#include "scheduler/latency/common_ratio.h"

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <span>

#include "base/statistics.h"

namespace anybit::scheduler {

CommonRatio::CommonRatio(size_t window, size_t least_long) : least_long_(least_long) {
  ratios_.reserve(window + kProfileVotes);
  by_length_.reserve(window);
}

void CommonRatio::SelectLong(const ObservationWindow& window, const OwnCorrections& own) {
  ratios_.clear();
  by_length_.clear();
  for (size_t i = 0; i < window.size(); ++i) by_length_.push_back({window[i].profiled.count(), i});
  if (by_length_.empty()) return;
  std::sort(by_length_.begin(), by_length_.end(), std::greater<>());  // of equal lengths the newest first
  const int64_t shortest_long = by_length_.front().first / kComparableFactor;
  for (const auto& [length, i] : by_length_) {
    if (length < shortest_long && ratios_.size() >= least_long_) break;
    ratios_.push_back(own.CommonPart(window[i]));
  }
}

void CommonRatio::Correct(const ObservationWindow& window, const OwnCorrections& own, int assumed_permille) {
  SelectLong(window, own);
  const bool few = ratios_.size() < least_long_;
  ratios_.resize(std::max(ratios_.size(), kProfileVotes), assumed_permille);
  typical_permille_ = UpperMedian(ratios_);
  for (int& ratio : ratios_) ratio = std::abs(ratio - typical_permille_);
  // A few batches have no scatter: their distance to a profile that may be wrong is none.
  scatter_permille_ = few ? 0 : 2 * UpperMedian(ratios_);
}

}  // namespace anybit::scheduler
