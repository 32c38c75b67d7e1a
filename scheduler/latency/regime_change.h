// Whether the machine has changed: the last few long batches agree that all batches now take another share of what was
// typical. Then what was measured before is dropped at once, instead of leaving the window one by one.
#ifndef ANYBIT_SCHEDULER_LATENCY_REGIME_CHANGE_H_
#define ANYBIT_SCHEDULER_LATENCY_REGIME_CHANGE_H_

#include <cstddef>
#include <vector>

#include "base/time.h"
#include "scheduler/latency/additive_time.h"
#include "scheduler/latency/common_ratio.h"
#include "scheduler/latency/observation.h"
#include "scheduler/latency/own_corrections.h"

namespace anybit::scheduler {

class RegimeChange {
 public:
  // `agreeing` long batches outvote all before them.
  RegimeChange(size_t window, int agreeing);

  // Drops the former regime from `window` if another has begun, as seen by `ratio` and `additive`, which still follow
  // the former. Corrections by the new batches are taken back from `own`: it was the machine.
  void DropFormer(ObservationWindow& window, OwnCorrections& own, const CommonRatio& ratio,
                  const AdditiveTime& additive);

 private:
  // The first of the newest observations among which `agreeing` are long; window.size() if there are too few.
  size_t FirstOfRegime(const ObservationWindow& window, Duration shortest_long) const;
  // The median of `share` over the long batches from `first` on.
  template <typename Share>
  int MedianSince(const ObservationWindow& window, size_t first, Duration shortest_long, Share share);

  const int agreeing_;
  std::vector<int> shares_;  // scratch
};

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_LATENCY_REGIME_CHANGE_H_
