// How long a batch will take, from dispatch until the scheduler has it back: the profile, corrected by measurement.
//
//   typical(point, rows) = profile * ratio * own(point) + additive
//
// The profile is that of the machine's present state: busy, or at rest (AtRest).
//
// CommonRatio, OwnCorrections and AdditiveTime each learn one factor from a window of the last batches; RegimeChange
// shortens the window when the machine has changed. The result is a LatencyTable, all that decisions see:
//
//   LatencyModel model(profile);
//   model.Observe(point, rows, compute, loop.Now());
//   const Duration predicted = model.table().Predict(point, rows);
//
// A prediction is evidence with an age and a weight. The ratio is a median, the tail is a quantile that one outlier
// never sets, few batches are outvoted by the profile, and what is older than `memory` is forgotten. Predictions
// choose; they alone do not refuse: FastestHoped says what may be possible, and a batch that was tried in that hope and
// succeeded replaces all that was believed (ObserveSuccess). Integers only: equal histories give equal predictions.
#ifndef ANYBIT_SCHEDULER_LATENCY_LATENCY_MODEL_H_
#define ANYBIT_SCHEDULER_LATENCY_LATENCY_MODEL_H_

#include <chrono>
#include <cstddef>
#include <tuple>
#include <vector>

#include "base/time.h"
#include "scheduler/latency/additive_time.h"
#include "scheduler/latency/common_ratio.h"
#include "scheduler/latency/latency_table.h"
#include "scheduler/latency/observation.h"
#include "scheduler/latency/own_corrections.h"
#include "scheduler/latency/profile.h"
#include "scheduler/latency/regime_change.h"
#include "scheduler/point_table.h"

namespace anybit::scheduler {

struct LatencyModelOptions {
  int window = 64;  // batches, at least 1
  int regime = 5;   // batches that outvote all before them; odd, at least 1
  Duration memory = std::chrono::seconds(10);
  Duration own_memory = std::chrono::seconds(15);   // of the points' own corrections
  Duration hope_memory = std::chrono::seconds(60);  // of the best ratio, see LatencyTable::FastestHoped
};

class LatencyModel {
 public:
  // `profile` is valid (ValidateProfile).
  explicit LatencyModel(Profile profile, LatencyModelOptions options = {});

  // The present predictions; they change with every call below.
  const LatencyTable& table() const { return table_; }
  const Profile& profile() const { return profile_; }

  // Whether enough batches have been observed to outvote the profile.
  bool checked() const { return observed_ >= kProfileVotes; }

  // A batch took `compute`, and `overhead` more from dispatch until the scheduler had it back at `at`; instants never
  // go back. `warm`: its slot ran the same point before, so the point's weights were at hand. The time to fetch them
  // says nothing of a point that keeps running, so cold batches count for its own correction only while warm ones are
  // few.
  // `rested`: it began at rest.
  void Observe(PointId point, int rows, Duration compute, MonoTime at, Duration overhead = Duration::zero(),
               bool warm = true, bool rested = false);

  // The same of a batch that was in time although Predict had said that it could not be: all that was measured before
  // is dropped, and the profile counts as it did in this batch.
  void ObserveSuccess(PointId point, int rows, Duration compute, MonoTime at, Duration overhead = Duration::zero(),
                      bool rested = false);

  // From now on, predictions are of batches that begin at rest, or of those one after the other.
  void AtRest(bool at_rest);
  bool at_rest() const { return at_rest_; }

  // Forgets everything and takes the profile times `permille` / 1000 for the truth.
  void AssumeProfileAt(int permille);

  // From the next observation on, Predict adds at most `max_tail` for the tail, beyond the typical additive part. A
  // longer tail would refuse most requests, to save the few that would be late.
  void LimitTail(Duration max_tail) { additive_.LimitTail(max_tail); }

  // Drops what is older than the memory, as seen from `now`.
  void Forget(MonoTime now);

  // The point's own correction, relative to the common ratio.
  int own_permille(PointId point) const { return own_.permille(point); }
  // The median of the additive part.
  Duration typical_additive() const { return additive_.typical(); }

 private:
  // Forget without updating the table.
  void DropOld(MonoTime now);
  void Correct();
  void RankAdditive();
  void Remember(MonoTime now);
  // Brings table_ up to date.
  void Publish();
  void RankPoints();
  void FillTable();
  // The profile of the present state, as the table has it.
  void FillProfiled();

  const Profile profile_;
  bool at_rest_ = false;
  const LatencyModelOptions options_;
  ObservationWindow window_;
  OwnCorrections own_;
  CommonRatio ratio_;
  AdditiveTime additive_;
  RegimeChange regime_change_;
  size_t observed_ = 0;                    // since the start, up to what checked() asks for
  int assumed_permille_ = kUnityPermille;  // what the profile counts as where few batches were measured
  int best_permille_ = kUnityPermille;     // the least typical ratio within hope_memory
  MonoTime best_at_{};
  const Duration shortest_;         // of the profile
  Duration ranked_additive_{};      // what corrected_ has: of a batch, in the profile's time
  Profile corrected_;               // by the points' own corrections and the additive part, not by the common ratio
  std::vector<Duration> row_cost_;  // [point], the least over the sizes of corrected_
  bool ranking_is_stale_ = true;
  using Numbers = std::tuple<int, int, Duration, Duration>;  // what the table's times follow, beside the own parts
  Numbers published_;
  LatencyTable table_;
};

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_LATENCY_LATENCY_MODEL_H_
