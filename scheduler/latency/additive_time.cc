#include "scheduler/latency/additive_time.h"

#include <algorithm>
#include <span>

#include "base/statistics.h"
#include "scheduler/latency/permille.h"
#include "scheduler/latency/quantile.h"

namespace anybit::scheduler {

AdditiveTime::AdditiveTime(size_t window) { times_.reserve(window + kProfileVotes); }

Duration AdditiveTime::RankedTime(size_t rank, size_t count) {
  times_.resize(count, Duration::zero());
  return ValueAtRank(times_, rank);
}

void AdditiveTime::Correct(const ObservationWindow& window, const OwnCorrections& own, const CommonRatio& ratio) {
  if (window.empty()) {
    interruption_ = typical_ = upper_ = Duration::zero();
    return;
  }
  const size_t count = std::max(window.size(), kProfileVotes);
  const auto ranked_of = [&](size_t rank, auto time) {
    times_.clear();
    for (size_t i = 0; i < window.size(); ++i) times_.push_back(time(window[i]));
    return RankedTime(rank, count);
  };
  const auto beyond = [&](const Observation& o, int permille) {
    return std::max(o.compute - own.Corrected(o.point, o.profiled, permille), Duration::zero());
  };
  interruption_ = ranked_of(count / 2, [&](const Observation& o) { return beyond(o, ratio.typical_permille()); });
  typical_ = interruption_ + ranked_of(count / 2, [](const Observation& o) { return o.overhead; });
  const Duration upper = ranked_of(
      PercentileRank(count), [&](const Observation& o) { return o.overhead + beyond(o, ratio.upper_permille()); });
  upper_ = std::clamp(upper, typical_, typical_ + std::min(max_tail_, kMaxTime));
}

}  // namespace anybit::scheduler
