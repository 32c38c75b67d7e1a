// How long a batch will take, from dispatch until the scheduler has it back: the profile, corrected by measurement.
//
//   typical(point, rows) = profile * ratio * own(point) + additive
//
// The ratio is common to all points: a wrong profile is mostly a wrong machine, and a point that no longer runs is not
// stuck with its last bad measurement. The additive part is what batches take beside it: hand-over to the slot and
// back, wake-ups, interruptions. Interruptions last milliseconds whatever the batch, so the ratio is read from the long
// batches of the window, and a short batch that was interrupted does not make long ones look slow. Each point's own
// factor is relative to the common ratio, told from batches of about as many rows as other points', counted only beyond
// what scatter can do, and remembered a little longer. The point that two thirds of the last batches ran at has none.
//
// A prediction is evidence with an age and a weight. The ratio is a median, the tail is a quantile that one outlier
// never sets, few batches are outvoted by the profile, and what is older than `memory` is forgotten. When the last
// `regime` batches agree that the machine has changed, all before them is dropped. Predictions choose; they alone do
// not refuse: FastestHoped says what may be possible, and a batch that was tried in that hope and succeeded replaces
// all that was believed (ObserveSuccess). Integers only: equal histories give equal predictions on every machine.
#ifndef ANYBIT_SCHEDULER_LATENCY_LATENCY_MODEL_H_
#define ANYBIT_SCHEDULER_LATENCY_LATENCY_MODEL_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "scheduler/latency/profile.h"
#include "scheduler/point_table.h"
#include "scheduler/policies/anybit/point_ranking.h"
#include "scheduler/time.h"

namespace anybit {

struct LatencyModelOptions {
  int window = 64;  // batches, at least 1
  int regime = 5;   // batches that outvote all before them; odd, at least 1
  Duration memory = std::chrono::seconds(10);
  Duration own_memory = std::chrono::seconds(15);   // of the points' own corrections
  Duration hope_memory = std::chrono::seconds(60);  // of the best ratio, see FastestHoped
};

class LatencyModel {
 public:
  // `profile` is valid (ValidateProfile).
  explicit LatencyModel(Profile profile, LatencyModelOptions options = {});

  const PointTable& points() const { return profile_.points; }
  int max_batch() const { return profile_.max_batch; }
  const Profile& profile() const { return profile_; }

  // What almost every such batch keeps to, up to the limit of LimitTail: for deadlines. 1 <= rows <= max_batch().
  Duration Predict(PointId point, int rows) const { return predicted_[Index(point, rows)]; }

  // What such batches take on average (the median): for many of them, one after the other.
  Duration Typical(PointId point, int rows) const { return typical_[Index(point, rows)]; }

  // What no such batch is likely to fall below: for giving up.
  Duration PredictLeast(PointId point, int rows) const;

  // The least Predict(point, rows) over `allowed`; Duration::max() if that is empty.
  Duration Fastest(PointSet allowed, int rows) const;
  // The same of PredictLeast.
  Duration FastestLeast(PointSet allowed, int rows) const;
  // The least that such a batch may take although measurements say more: by the profile, or by the best ratio within
  // hope_memory if that is less. Nothing that needs less time than this can be expected to succeed.
  Duration FastestHoped(PointSet allowed, int rows) const;
  int hoped_permille() const;

  // The permille of the profile at which every point of `allowed` runs `rows` within `limit`; at least 1.
  int PermilleWithin(PointSet allowed, int rows, Duration limit) const;

  // Whether any batch has been observed yet; enough of them to outvote the profile. Until then the profile is all there
  // is.
  bool measured() const { return observed_ > 0; }
  bool checked() const;

  // What the points are worth beside each other, by their corrected latencies.
  const PointRanking& ranking() const { return ranking_; }

  // Points of which nothing is known but the profile, while something is known of others: one of them may have become
  // the best, which nobody learns unless it is tried from time to time.
  PointSet untried() const { return untried_; }

  // The least time per row over `allowed` and all batch sizes, as batches typically take: what a row costs when batches
  // are as good as can be.
  Duration RowCost(PointSet allowed) const;

  // A batch took `compute`, and `overhead` more from dispatch until the scheduler had it back at `at`; instants never
  // go back. `warm`: its slot ran the same point before, so that the point's weights were at hand; what fetching them
  // takes says nothing of what the point would take if it kept running, so other batches count for its own correction
  // only as long as there are few of these.
  void Observe(PointId point, int rows, Duration compute, MonoTime at, Duration overhead = Duration::zero(),
               bool warm = true);

  // The same of a batch that was in time although Predict had said that it could not be: all that was measured before
  // is dropped, and the profile counts as it did in this batch.
  void ObserveSuccess(PointId point, int rows, Duration compute, MonoTime at, Duration overhead = Duration::zero());

  // Forgets everything and takes the profile times `permille` / 1000 for the truth.
  void AssumeProfileAt(int permille);

  // From the next observation on, what Predict adds for the tail is at most `most` beyond the typical additive part. A
  // longer one would have most requests refused for the sake of the few that would be late.
  void LimitTail(Duration most) { most_tail_ = most; }

  // Drops what is older than the memory, as seen from `now`.
  void Forget(MonoTime now);

  // Computing / profile: the median, what is counted as its scatter to either side, and what Predict multiplies by.
  int typical_permille() const { return typical_permille_; }
  int scatter_permille() const { return scatter_permille_; }
  int upper_permille() const { return upper_permille_; }

  // The additive part: the median, and what Predict adds.
  Duration typical_additive() const { return typical_additive_; }
  Duration upper_additive() const { return upper_additive_; }

  // The point's own correction, relative to the common one.
  int own_permille(PointId point) const { return own_[static_cast<size_t>(ToIndex(point))].permille; }

 private:
  struct Observation {
    PointId point{};
    int rows = 0;
    int ratio_permille = 0;  // computing / profile
    Duration compute{};
    Duration overhead{};  // from dispatch to return, without computing
    bool warm = true;
    MonoTime at{};
    bool own_too = false;  // counted among its point's own ratios
  };

  static constexpr size_t kOwnWindow = 15;
  struct OwnCorrection {
    struct Ratio {
      int permille = 0;  // computing / (profile as commonly corrected)
      bool warm = true;
      MonoTime at{};
    };
    std::array<Ratio, kOwnWindow> ratios;  // oldest first
    size_t count = 0;
    int permille = 1000;
    std::array<MonoTime, 4> ran_at{};  // its last batches, oldest first
    int ran = 0;                       // how many of them are there
    bool known() const { return ran == static_cast<int>(ran_at.size()); }
  };

  size_t Index(PointId point, int rows) const {
    return static_cast<size_t>(ToIndex(point) * profile_.max_batch + rows - 1);
  }
  Duration Corrected(PointId point, int rows, int common_permille) const;
  Observation& Recent(size_t i) { return recent_[(oldest_ + i) % recent_.size()]; }
  const Observation& Recent(size_t i) const { return recent_[(oldest_ + i) % recent_.size()]; }
  void DropOldest(size_t count);
  // The ratio without the point's own part.
  int CommonPart(const Observation& observation) const;
  int MedianOfSorting();  // which is not empty, and is reordered
  void ObserveOwn(Observation& latest);
  void DropColdRatios(PointId point);
  // The common part of the ratios of other points' batches of about as many rows; 0 if there are too few. A point
  // measured by itself would keep its correction alive.
  int CommonPartOfOthers(const Observation& latest);
  bool ForgetOwn(OwnCorrection& own, MonoTime now) const;
  // Takes the last `count` observations back: they spoke of the machine.
  void TakeBackOwn(size_t count);
  void MoveAnchor();
  int OwnPart(const OwnCorrection& own);
  void CorrectOwn();
  void ApplyOwn();
  Duration Profiled(const Observation& o) const { return profile_.At(o.point, o.rows); }
  // By the profile, a batch at least this long is a long one: a quarter of the longest in the window.
  Duration LeastLong() const;
  // Fills sorting_ with the common parts of the long batches, or of the `regime` longest if those are more.
  void SelectLong();
  // Computing as a share of what is typical at present, in permille.
  int ShareOfTypical(const Observation& observation) const;
  // The first of the newest observations among which `regime` are long; count_ if there are too few.
  size_t FirstOfRegime() const;
  // The median share of the long ones from `first` on.
  int ShareSince(size_t first);
  void DropFormerRegime();
  void Correct();
  void CorrectRatio();
  void CorrectAdditive();
  // The element of rank `rank` among sorting_times_, which is not empty and is reordered.
  Duration RankedTime(size_t rank);
  void Remember(MonoTime now);
  void FillPredicted();

  const Profile profile_;
  const LatencyModelOptions options_;
  std::vector<Observation> recent_;  // a ring of `window`
  size_t oldest_ = 0;
  size_t count_ = 0;
  size_t observed_ = 0;          // since the start, up to what checked() asks for
  int profile_permille_ = 1000;  // what the profile counts as where few batches were measured
  int good_permille_ = 1000;     // the least typical_permille_ within hope_memory
  MonoTime good_at_{};
  Duration most_tail_ = Duration::max();
  std::vector<int> sorting_;                           // scratch of medians
  std::vector<std::pair<int64_t, size_t>> by_length_;  // scratch of SelectLong: (profiled time, index)
  std::vector<Duration> sorting_times_;                // scratch of RankedTime
  int typical_permille_ = 1000;
  int scatter_permille_ = 0;
  int upper_permille_ = 1000;
  Duration interruption_{};      // what a typical batch takes beyond its ratio, without overhead
  Duration typical_additive_{};  // with overhead
  Duration upper_additive_{};
  Duration ranked_additive_{};       // what corrected_ has: of a batch, in the profile's time
  std::vector<Duration> predicted_;  // [point * max_batch + rows - 1]
  std::vector<Duration> typical_;    // likewise
  std::vector<OwnCorrection> own_;   // [point]
  PointId anchor_{};                 // whose own part is 1 by definition
  Profile corrected_;                // by the points' own corrections and the additive part, not by the common one
  std::vector<Duration> row_cost_;   // [point], of corrected_
  PointRanking ranking_;
  PointSet untried_;
};

}  // namespace anybit

#endif  // ANYBIT_SCHEDULER_LATENCY_LATENCY_MODEL_H_
