// How long a batch will take, from dispatch to answer: the profile, corrected by what batches really took.
//
// One correction (actual / profile, in permille) for all points: what a profile is wrong by is mostly the machine, and
// a point that nobody dares to run any more is not stuck with its last bad measurement. Medians of the last `window`
// batches, so that single outliers move nothing; but when the last `regime` batches agree that the machine has changed,
// all before them is dropped, so that a profile wrong by any factor is corrected within a few batches. What was
// measured longer than `memory` ago is forgotten, so that a model that got everything refused recovers. Integers only:
// equal histories give equal predictions on every machine.
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
  int regime = 5;                           // batches that outvote all before them; odd, at least 1
  Duration memory = std::chrono::seconds(10);
};

class LatencyModel {
 public:
  // `profile` is valid (ValidateProfile).
  explicit LatencyModel(Profile profile, LatencyModelOptions options = {});

  const PointTable& points() const { return profile_.points; }
  int max_batch() const { return profile_.max_batch; }
  const Profile& profile() const { return profile_; }

  // What almost every such batch keeps to: for deadlines. 1 <= rows <= max_batch().
  Duration Predict(PointId point, int rows) const { return predicted_[Index(point, rows)]; }

  // What no such batch is likely to fall below: for giving up.
  Duration PredictLeast(PointId point, int rows) const;

  // The least Predict(point, rows) over `allowed`; Duration::max() if that is empty.
  Duration Fastest(PointSet allowed, int rows) const;
  // The same of PredictLeast.
  Duration FastestLeast(PointSet allowed, int rows) const;

  // The least time per row over `allowed` and all batch sizes, as batches typically take: what a row costs when batches
  // are as good as can be.
  Duration RowCost(PointSet allowed) const;

  // A batch took `actual` from dispatch to answer, which ended `at`; instants never go back.
  void Observe(PointId point, int rows, Duration actual, MonoTime at);

  // A request was refused although nothing runs or waits: if no batch has run within the memory either, the profile
  // alone said so, and it is believed half as much, down to a twentieth. So a profile that is far too slow gets
  // corrected too: sooner or later one batch runs, and that is the end of the doubt.
  void Doubt();

  // Drops what is older than the memory, as seen from `now`.
  void Forget(MonoTime now);

  // actual / profile: the median, what is counted as its scatter to either side, and what Predict multiplies by.
  int typical_permille() const { return typical_permille_; }
  int scatter_permille() const { return scatter_permille_; }
  int upper_permille() const { return upper_permille_; }

 private:
  struct Observation {
    int ratio_permille = 0;
    MonoTime at{};
  };

  size_t Index(PointId point, int rows) const {
    return static_cast<size_t>(ToIndex(point) * profile_.max_batch + rows - 1);
  }
  Observation& Recent(size_t i) { return recent_[(oldest_ + i) % recent_.size()]; }
  void DropOldest(size_t count);
  // The element of `rank` among those of the newest `count` observations; among their distances to `from`.
  int Ranked(size_t count, size_t rank);
  int RankedDistance(size_t count, size_t rank, int from);
  void DropFormerRegime();
  void Correct();

  const Profile profile_;
  const LatencyModelOptions options_;
  std::vector<Observation> recent_;   // a ring of `window`
  size_t oldest_ = 0;
  size_t count_ = 0;
  int profile_permille_ = 1000;       // what the profile says of itself; less when in doubt
  std::vector<int> sorting_;          // scratch of Ranked
  int typical_permille_ = 1000;
  int scatter_permille_ = 0;
  int upper_permille_ = 1000;
  std::vector<Duration> predicted_;   // [point * max_batch + rows - 1]
  std::vector<Duration> row_cost_;    // [point], of the profile
};

}  // namespace anybit

#endif  // ANYBIT_SCHEDULER_LATENCY_MODEL_H_
