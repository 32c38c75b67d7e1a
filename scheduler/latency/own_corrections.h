// Each point's own correction: how long its batches take beside those of other points, relative to the common ratio.
//
// It is measured on batches of comparable size, applies only where it exceeds the scatter, and is remembered a little
// longer than the common ratio. The anchor, the point of more than two thirds of the last batches, has none by
// definition: otherwise all corrections could drift together.
#ifndef ANYBIT_SCHEDULER_LATENCY_OWN_CORRECTIONS_H_
#define ANYBIT_SCHEDULER_LATENCY_OWN_CORRECTIONS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/time.h"
#include "scheduler/latency/observation.h"
#include "scheduler/latency/permille.h"
#include "scheduler/latency/ring.h"
#include "scheduler/point_table.h"

namespace anybit::scheduler {

class OwnCorrections {
 public:
  // A point is compared with others only if at least `least_others` of their batches are in the window.
  OwnCorrections(size_t points, size_t window, size_t least_others, Duration memory);

  int permille(PointId point) const { return points_[static_cast<size_t>(ToIndex(point))].permille; }

  // Points of which fewer than kTrials batches are remembered, while others have as many; empty if none has.
  PointSet untried() const { return untried_; }

  // The time of a batch that the profile puts at `profiled`, if all points take `common_permille` of the profile.
  Duration Corrected(PointId point, Duration profiled, int common_permille) const {
    // One rounding, so that times ten times as long give predictions ten times as long.
    return Scaled(profiled, ClampPermille(int64_t{permille(point)} * common_permille / kUnityPermille));
  }

  // The batch's ratio without its point's own part.
  int CommonPart(const Observation& observation) const {
    return ClampPermille(int64_t{observation.ratio_permille} * kUnityPermille / permille(observation.point));
  }

  // Updates the correction of the newest observation's point.
  void Observe(ObservationWindow& window);

  // Makes the newest observation's point the anchor if it ran most of the window; whether the anchor has changed.
  bool MoveAnchor(const ObservationWindow& window);

  // Removes the newest `count` observations, because the machine caused their ratios.
  void TakeBack(ObservationWindow& window, size_t count);

  // Drops what is older than the memory; whether there was any.
  bool Forget(MonoTime now);

  void Clear();

  // Whether a correction has changed since the last call.
  bool TakeChanged();

 private:
  static constexpr size_t kRatios = 15;
  static constexpr size_t kTrials = 4;

  struct Ratio {
    int permille = 0;  // computing / (profile as commonly corrected)
    bool warm = true;
    MonoTime at{};
  };
  struct OwnCorrection {
    Ring<Ratio> ratios{kRatios};
    int permille = kUnityPermille;
    Ring<MonoTime> trials{kTrials};  // when its last batches ended
    bool tried() const { return trials.size() == kTrials; }
  };

  OwnCorrection& Of(PointId point) { return points_[static_cast<size_t>(ToIndex(point))]; }
  void DropColdRatios(PointId point, ObservationWindow& window);
  // The common part of the ratios of other points' batches comparable to the newest; 0 if there are too few. A point
  // measured by itself would keep its correction alive.
  int CommonPartOfOthers(const ObservationWindow& window);
  // The correction that the ratios ask for, if it is beyond scatter.
  int Judge(const Ring<Ratio>& ratios);
  void Correct();

  const size_t least_others_;
  const Duration memory_;
  std::vector<OwnCorrection> points_;  // [point]
  PointId anchor_{};
  PointSet untried_;
  bool changed_ = false;
  std::vector<int> sorting_;  // scratch of medians
};

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_LATENCY_OWN_CORRECTIONS_H_
