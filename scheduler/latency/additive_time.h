// The time that batches take beside their ratio, whatever their size: hand-over to the slot and back, wake-ups,
// interruptions of milliseconds. Its tail is the margin that deadlines keep for slow batches.
#ifndef ANYBIT_SCHEDULER_LATENCY_ADDITIVE_TIME_H_
#define ANYBIT_SCHEDULER_LATENCY_ADDITIVE_TIME_H_

#include <cstddef>
#include <vector>

#include "base/time.h"
#include "scheduler/latency/common_ratio.h"
#include "scheduler/latency/observation.h"
#include "scheduler/latency/own_corrections.h"

namespace anybit::scheduler {

class AdditiveTime {
 public:
  explicit AdditiveTime(size_t window);

  // From the next Correct on, upper() is at most this much above typical().
  void LimitTail(Duration max_tail) { max_tail_ = max_tail; }

  // Follows the window.
  void Correct(const ObservationWindow& window, const OwnCorrections& own, const CommonRatio& ratio);

  // The median of computing beyond the typical ratio, without overhead.
  Duration interruption() const { return interruption_; }
  // The median, with overhead.
  Duration typical() const { return typical_; }
  // All but one batch in twenty keep to it beyond the upper ratio, up to the limit of the tail.
  Duration upper() const { return upper_; }

 private:
  // The value of `rank` among times_, which are filled up with zeros: the profile has no additive part.
  Duration RankedTime(size_t rank, size_t count);

  Duration max_tail_ = Duration::max();
  Duration interruption_{};
  Duration typical_{};
  Duration upper_{};
  std::vector<Duration> times_;  // scratch
};

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_LATENCY_ADDITIVE_TIME_H_
