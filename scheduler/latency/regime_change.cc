#include "scheduler/latency/regime_change.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "base/statistics.h"
#include "scheduler/latency/permille.h"

namespace anybit::scheduler {
namespace {

// Another regime begins where the median moved by more than this share of itself, and by more than three times the
// scatter. The window follows smaller changes by itself before they matter.
constexpr int kMinRegimeChangePermille = 60;

// A batch is long if the profile gives it at least a quarter of the longest time in the window.
Duration ShortestLong(const ObservationWindow& window) {
  Duration longest{};
  for (size_t i = 0; i < window.size(); ++i) longest = std::max(longest, window[i].profiled);
  return longest / kComparableFactor;
}

}  // namespace

RegimeChange::RegimeChange(size_t window, int agreeing) : agreeing_(agreeing) { shares_.reserve(window); }

size_t RegimeChange::FirstOfRegime(const ObservationWindow& window, Duration shortest_long) const {
  size_t first = window.size();
  for (int found = 0; found < agreeing_; found += window[first].profiled >= shortest_long) {
    if (first == 0) return window.size();
    --first;
  }
  return first;
}

template <typename Share>
int RegimeChange::MedianSince(const ObservationWindow& window, size_t first, Duration shortest_long, Share share) {
  shares_.clear();
  for (size_t i = first; i < window.size(); ++i) {
    if (window[i].profiled >= shortest_long) shares_.push_back(share(window[i]));
  }
  return UpperMedian(shares_);
}

void RegimeChange::DropFormer(ObservationWindow& window, OwnCorrections& own, const CommonRatio& ratio,
                              const AdditiveTime& additive) {
  const Duration shortest_long = ShortestLong(window);
  const size_t first = FirstOfRegime(window, shortest_long);
  if (first == window.size()) return;
  const auto share_of_typical = [&](const Observation& o) {
    const Duration typical = own.Corrected(o.point, o.profiled, ratio.typical_permille()) + additive.interruption();
    return RatioPermille(o.compute, typical);
  };
  const int64_t scatter = int64_t{ratio.scatter_permille()} * kUnityPermille / ratio.typical_permille();
  const int least_change = std::max(kMinRegimeChangePermille, 3 * static_cast<int>(scatter) / 2);
  const int before = MedianSince(window, first, shortest_long, share_of_typical);
  if (std::abs(before - kUnityPermille) <= least_change) return;
  own.TakeBack(window, window.size() - first);
  const int now = MedianSince(window, first, shortest_long, share_of_typical);  // of what is left to the machine
  window.DropOldest(first);
  // Nor may the last few of the former regime stay: they would be the new regime's tail until the window is full.
  const auto is_former = [&](const Observation& o) {
    const int share = share_of_typical(o);
    return std::abs(share - kUnityPermille) < std::abs(share - now);
  };
  while (window.size() > 1 && is_former(window.oldest())) window.DropOldest(1);
}

}  // namespace anybit::scheduler
