// How long a batch will take, from dispatch to answer: the profile, corrected by what batches really took.
//
// One ratio (actual / profile, in permille) for all points: the stated quantile of the last `window` batches. It is one
// and not one per point, so that a point nobody dares to run any more is not stuck with its last bad measurement.
// The window starts full of exact batches, so a few outliers at the start do not move it, and what was measured longer
// than `memory` ago counts as exact again, so a model that got everything refused recovers.
// Integers only: equal histories give equal predictions on every machine.
#ifndef ANYBIT_SCHEDULER_LATENCY_MODEL_H_
#define ANYBIT_SCHEDULER_LATENCY_MODEL_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "scheduler/point_table.h"
#include "scheduler/profile.h"
#include "scheduler/time.h"

namespace anybit {

struct LatencyModelOptions {
  int window = 64;                          // batches, at least 1
  int quantile_percent = 90;                // 1..100; predictions are met by this share of recent batches
  Duration memory = std::chrono::seconds(10);
};

class LatencyModel {
 public:
  // `profile` is valid (ValidateProfile).
  explicit LatencyModel(Profile profile, LatencyModelOptions options = {});

  const PointTable& points() const { return profile_.points; }
  int max_batch() const { return profile_.max_batch; }
  const Profile& profile() const { return profile_; }

  // 1 <= rows <= max_batch().
  Duration Predict(PointId point, int rows) const {
    return predicted_[static_cast<size_t>(ToIndex(point) * profile_.max_batch + rows - 1)];
  }

  // The least Predict(point, rows) over `allowed`; Duration::max() if that is empty.
  Duration Fastest(PointSet allowed, int rows) const;

  // The least time per row over `allowed` and all batch sizes: what a row costs when batches are as good as can be.
  Duration RowCost(PointSet allowed) const;

  // A batch took `actual` from dispatch to answer, which ended `at`; instants never go back.
  void Observe(PointId point, int rows, Duration actual, MonoTime at);

  // Drops what is older than the memory, as seen from `now`.
  void Forget(MonoTime now);

  int ratio_permille() const { return ratio_permille_; }

 private:
  struct Observation {
    int ratio_permille = 0;
    MonoTime at{};
  };

  void Correct();

  Profile profile_;
  LatencyModelOptions options_;
  std::vector<Observation> recent_;   // a ring of `window`
  size_t oldest_ = 0;
  size_t count_ = 0;
  int ratio_permille_ = 1000;
  std::vector<Duration> predicted_;   // [point * max_batch + rows - 1]
  std::vector<Duration> row_cost_;    // [point]
};

}  // namespace anybit

#endif  // ANYBIT_SCHEDULER_LATENCY_MODEL_H_
