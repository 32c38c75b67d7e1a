// How long a batch will take, from dispatch until the scheduler has it back: the profile, corrected by what batches
// really took, and what a batch costs beside computing (hand-over to the slot and back), which the profile does not
// know. That part is the same for all points and sizes, so it makes small batches dear and must not be taken for slow
// points that run small batches.
//
// Two corrections of computing / profile, in permille. One is common to all points: what a profile is wrong by is
// mostly the machine, and a point that nobody dares to run any more is not stuck with its last bad measurement. The
// other is each point's own, relative to the common one: beside other work some points slow down more than others. It
// is told from batches of about as many rows, for small ones suffer more from what interrupts them and some points run
// smaller batches than others. It counts only where it exceeds what scatter can do, and it is remembered a little
// longer. The point that two thirds of the last batches ran at has none: with one point running nobody can tell the
// two corrections apart, and of points not running one can but think that the machine slows them as it does that one.
//
// The common one is the median of the last `window` batches, so that single outliers move nothing; but when the last
// `regime` batches agree that the machine has changed, all before them is dropped, so that a profile wrong by any
// factor is corrected within a few batches. What was measured longer than `memory` ago is forgotten, so that a model
// that got everything refused recovers. Integers only: equal histories give equal predictions on every machine.
#ifndef ANYBIT_SCHEDULER_LATENCY_MODEL_H_
#define ANYBIT_SCHEDULER_LATENCY_MODEL_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "scheduler/point_ranking.h"
#include "scheduler/point_table.h"
#include "scheduler/profile.h"
#include "scheduler/time.h"

namespace anybit {

struct LatencyModelOptions {
  int window = 64;                          // batches, at least 1
  int regime = 5;                           // batches that outvote all before them; odd, at least 1
  Duration memory = std::chrono::seconds(10);
  Duration own_memory = std::chrono::seconds(15);   // of the points' own corrections
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

  // What such batches take on average (the median): for many of them, one after the other.
  Duration Typical(PointId point, int rows) const { return typical_[Index(point, rows)]; }

  // What no such batch is likely to fall below: for giving up.
  Duration PredictLeast(PointId point, int rows) const;

  // The least Predict(point, rows) over `allowed`; Duration::max() if that is empty.
  Duration Fastest(PointSet allowed, int rows) const;
  // The same of PredictLeast.
  Duration FastestLeast(PointSet allowed, int rows) const;

  // What the points are worth beside each other, by their corrected latencies.
  const PointRanking& ranking() const { return ranking_; }

  // Points of which nothing is known but the profile, while something is known of others: one of them may have become
  // the best, which nobody learns unless it is tried from time to time.
  PointSet untried() const { return untried_; }

  // The least time per row over `allowed` and all batch sizes, as batches typically take: what a row costs when batches
  // are as good as can be.
  Duration RowCost(PointSet allowed) const;

  // A batch took `compute`, and `overhead` more from dispatch until the scheduler had it back at `at`; instants never go
  // back.
  // `warm`: its slot ran the same point before, so that the point's weights were at hand; what fetching them takes says
  // nothing of what the point would take if it kept running, so other batches count for its own correction only as long
  // as there are few of these.
  void Observe(PointId point, int rows, Duration compute, MonoTime at, Duration overhead = Duration::zero(),
               bool warm = true);

  // A request was refused although nothing runs or waits: if no batch has run within the memory either, the profile
  // alone said so, and it is believed half as much, down to a twentieth. So a profile that is far too slow gets
  // corrected too: sooner or later one batch runs, and that is the end of the doubt.
  void Doubt();

  // Drops what is older than the memory, as seen from `now`.
  void Forget(MonoTime now);

  // Computing / profile: the median, what is counted as its scatter to either side, and what Predict multiplies by.
  int typical_permille() const { return typical_permille_; }
  int scatter_permille() const { return scatter_permille_; }
  int upper_permille() const { return upper_permille_; }

  // What a batch takes beside computing: the median, and what Predict adds.
  Duration typical_overhead() const { return typical_overhead_; }
  Duration upper_overhead() const { return upper_overhead_; }

  // The point's own correction, relative to the common one.
  int own_permille(PointId point) const { return own_[static_cast<size_t>(ToIndex(point))].permille; }

 private:
  struct Observation {
    PointId point{};
    int rows = 0;
    int ratio_permille = 0;      // computing / profile
    Duration overhead{};
    bool warm = true;
    MonoTime at{};
    bool own_too = false;        // counted among its point's own ratios
  };

  static constexpr size_t kOwnWindow = 15;
  struct OwnCorrection {
    struct Ratio {
      int permille = 0;          // computing / (profile as commonly corrected)
      bool warm = true;
      MonoTime at{};
    };
    std::array<Ratio, kOwnWindow> ratios;   // oldest first
    size_t count = 0;
    int permille = 1000;
    std::array<MonoTime, 4> ran_at{};       // its last batches, oldest first
    int ran = 0;                            // how many of them are there
    bool known() const { return ran == static_cast<int>(ran_at.size()); }
  };

  size_t Index(PointId point, int rows) const {
    return static_cast<size_t>(ToIndex(point) * profile_.max_batch + rows - 1);
  }
  Duration Corrected(PointId point, int rows, int common_permille) const;
  Observation& Recent(size_t i) { return recent_[(oldest_ + i) % recent_.size()]; }
  void DropOldest(size_t count);
  // The ratio without the point's own part.
  int CommonPart(const Observation& observation) const;
  int MedianOfSorting();   // which is not empty, and is reordered
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
  // The element of `rank` among those of the newest `count` observations; among their distances to `from`.
  int Ranked(size_t count, size_t rank);
  int RankedDistance(size_t count, size_t rank, int from);
  void DropFormerRegime();
  void Correct();
  Duration RankedOverhead(size_t rank);
  void CorrectOverhead();
  void FillPredicted();

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
  std::vector<Duration> sorting_overheads_;   // scratch of RankedOverhead
  Duration typical_overhead_{};
  Duration upper_overhead_{};
  Duration ranked_overhead_{};        // what corrected_ has: of a batch, in the profile's time
  std::vector<Duration> predicted_;   // [point * max_batch + rows - 1]
  std::vector<Duration> typical_;     // likewise
  std::vector<OwnCorrection> own_;    // [point]
  PointId anchor_{};                  // whose own part is 1 by definition
  Profile corrected_;                 // by the points' own corrections and the overhead, not by the common one
  std::vector<Duration> row_cost_;    // [point], of corrected_
  PointRanking ranking_;
  PointSet untried_;
};

}  // namespace anybit

#endif  // ANYBIT_SCHEDULER_LATENCY_MODEL_H_
