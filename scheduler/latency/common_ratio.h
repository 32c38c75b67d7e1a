// The ratio of computing to the profile that is common to all points: a wrong profile is mostly a wrong machine.
//
// It is a median over the long batches of the window, so that a short batch that was interrupted does not make long
// batches look slow. While few batches were measured, the profile votes in place of those that are missing.
#ifndef ANYBIT_SCHEDULER_LATENCY_COMMON_RATIO_H_
#define ANYBIT_SCHEDULER_LATENCY_COMMON_RATIO_H_

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "scheduler/latency/observation.h"
#include "scheduler/latency/own_corrections.h"
#include "scheduler/latency/permille.h"

namespace anybit::scheduler {

// The profile outvotes fewer batches than this: a first outlier is outvoted two to one, two batches that agree are
// believed.
inline constexpr size_t kProfileVotes = 3;

class CommonRatio {
 public:
  // `least_long` batches are judged even if fewer of the window are long.
  CommonRatio(size_t window, size_t least_long);

  // Follows the window. `assumed_permille` is the ratio that the profile votes for.
  void Correct(const ObservationWindow& window, const OwnCorrections& own, int assumed_permille);

  // The median; its scatter to either side; and both together.
  int typical_permille() const { return typical_permille_; }
  int scatter_permille() const { return scatter_permille_; }
  int upper_permille() const { return typical_permille_ + scatter_permille_; }

 private:
  // Fills ratios_ with the common parts of the long batches, or of the longest ones if those are more.
  void SelectLong(const ObservationWindow& window, const OwnCorrections& own);

  const size_t least_long_;
  int typical_permille_ = kUnityPermille;
  int scatter_permille_ = 0;
  std::vector<int> ratios_;                            // scratch
  std::vector<std::pair<int64_t, size_t>> by_length_;  // scratch: (profiled time, place in the window)
};

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_LATENCY_COMMON_RATIO_H_
