// SlackFit (SuperServe, NSDI 2025): fit the batch to the slack of the earliest deadline.
//
// From the profile: latency buckets, evenly spaced; each keeps the (point, rows) with the most rows whose latency lies
// in it. A decision takes the entry with the largest predicted latency within the head's slack and runs the earliest
// deadlines that accept its point. The paper leaves open, and we define:
// - points dominated at a batch size (another one is neither slower nor less accurate there) are left out first;
// - ties within a bucket go to the higher accuracy, then to the lower latency;
// - no entry fits: all that wait as one batch, at the most accurate point that runs it within the slack; if there is
//   none, the head is refused, for a batch of fewer would cost the others more than it saves;
// - fewer requests wait than the entry has rows for: the most accurate point that runs those in time ("refill");
// - a head that no accepted point can serve in time is refused, and the next one looked at;
// - a head without a deadline: its most accurate point, and a batch of kMaxBatchWithoutDeadline or the head's rows.
//
// The literal variant settles nothing: ties within a bucket go to the entry found first, whatever its accuracy; fewer
// requests than the entry has rows for run at the entry's point; a head without a deadline takes the slowest entry.
// With a head that no entry fits, the published rule says nothing. One could run it late with the fastest entry; here,
// where no policy starts what it predicts to be late, it is refused, though some point might serve it alone in time.
#ifndef ANYBIT_SCHEDULER_POLICIES_SLACKFIT_H_
#define ANYBIT_SCHEDULER_POLICIES_SLACKFIT_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "scheduler/latency/profile.h"
#include "scheduler/policies/edf_filling.h"
#include "scheduler/policy.h"

namespace anybit::scheduler {

class SlackFit final : public SchedulingPolicy {
 public:
  // The best of 3 .. 256 over our traces (mean utility .96 of the bound, .69 with 256): many buckets keep entries of
  // few rows, which lose throughput under load.
  static constexpr int kDefaultBuckets = 3;

  // Enough for an entry near any slack, as the published rule seems to assume.
  static constexpr int kDefaultLiteralBuckets = 64;

  static constexpr int kMaxBuckets = 4096;

  enum class Variant { kRefill, kLiteral };

  // A batch cannot be interrupted, and without a deadline any length is in time. So the largest batch of the most
  // accurate point could hold the only slot for a second, and every deadline that arrives meanwhile be missed. This
  // bound is within the slack of most deadlines, yet far above a batch's fixed cost, so rows without a deadline are
  // hardly dearer. A deadline shorter than this can still be missed so.
  static constexpr Duration kMaxBatchWithoutDeadline = std::chrono::milliseconds(50);

  // `profile` is valid, buckets in 1..kMaxBuckets. Keeps no reference to it.
  explicit SlackFit(const Profile& profile, int buckets = kDefaultBuckets, Variant variant = Variant::kRefill);

  std::string_view name() const override { return name_; }
  void DecideInto(const SchedulerView& view, Decision& decision) const override;

 private:
  struct Entry {
    PointId point{};
    int rows = 0;  // 0: the bucket is empty
  };
  struct Cell {
    Duration latency{};
    int bucket = 0;
    uint64_t dominated_by = 0;  // mask of points
  };

  const Cell& CellOf(PointId point, int rows) const;
  // One entry per bucket, of the points in `allowed`.
  std::vector<Entry> EntriesOf(PointSet allowed) const;
  Entry ClosestWithin(const LatencyTable& latency, const PendingRequest& head, Duration slack) const;
  std::optional<BatchChoice> ChooseRefilled(const Unplanned& unplanned, int head) const;
  std::optional<BatchChoice> ChooseLiterally(const Unplanned& unplanned, int head) const;

  const PointTable points_;
  const int max_batch_;
  const int buckets_;
  const Variant variant_;
  const std::string name_;
  std::vector<Cell> cells_;         // [point * max_batch + rows - 1]
  std::vector<Entry> all_entries_;  // of all points, the common case
};

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_POLICIES_SLACKFIT_H_
