// The loop that the simple policies share: idle slots are filled one by one, each from the earliest deadline waiting.
//
// A policy is then one rule: how to run the head now, with which others. If there is no rule for a head, it is refused
// and the next is looked at, so an infeasible head never stands before the others.
#ifndef ANYBIT_SCHEDULER_POLICIES_EDF_FILLING_H_
#define ANYBIT_SCHEDULER_POLICIES_EDF_FILLING_H_

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "scheduler/decision.h"

namespace anybit::scheduler {

// The requests of a view that no plan has taken yet.
class Unplanned {
 public:
  explicit Unplanned(const SchedulerView& view) : view_(view), taken_(view.waiting.size()) {}

  const SchedulerView& view() const { return view_; }
  const PendingRequest& At(int position) const { return view_.waiting[static_cast<size_t>(position)]; }

  // Position of the earliest deadline left; nullopt if none is.
  std::optional<int> Head() const;

  // From `head` on in deadline order, the requests left that accept `point`, as long as their rows sum to at most
  // `max_rows`; requests that do not fit or do not accept it are passed over.
  std::vector<int> Gather(int head, PointId point, int max_rows) const;

  // Whether Gather without a limit on rows would find more than these `members`.
  bool MoreAccept(int head, PointId point, std::span<const int> members) const;

  bool IsTaken(int position) const { return taken_[static_cast<size_t>(position)]; }

  void Take(int position);

 private:
  const SchedulerView& view_;
  std::vector<bool> taken_;
  int head_ = 0;  // every position before it is taken
};

struct BatchChoice {
  PointId point{};
  std::vector<int> members;  // includes the head
};

// Asks `choose` for each idle slot and head until slots or requests run out; heads without a choice are shed.
void FillIdleSlots(const SchedulerView& view, Decision& decision,
                   absl::FunctionRef<std::optional<BatchChoice>(const Unplanned&, int head)> choose);

int SumRows(const SchedulerView& view, std::span<const int> positions);

// The most accurate of `allowed` that runs `rows` within `slack`; of equal accuracies the faster, then the smaller id.
std::optional<PointId> MostAccurateWithin(const LatencyTable& latency, PointSet allowed, int rows, Duration slack);

// The least accurate of `allowed`, which is not empty; of equal accuracies the faster with `rows`, then the smaller id.
PointId LeastAccurate(const LatencyTable& latency, PointSet allowed, int rows);

// The point of `allowed`, which is not empty, with the most rows per second at its best batch; of equal points the more
// accurate, then the smaller id.
PointId HighestThroughput(const LatencyTable& latency, PointSet allowed);

// `point` alone if `allowed` has it, else `allowed`: a policy's own point binds only requests that accept it.
PointSet Preferring(PointId point, PointSet allowed);

// The largest number of rows, up to `max_rows`, that `point` runs within `slack`; 0 if there is none.
int LargestWithin(const LatencyTable& latency, PointId point, int max_rows, Duration slack);

// From `head` on, as many members as `point` runs within the head's slack, and together at most `max_rows` rows (the
// head's own if those are more). Nothing if `point` is late with the head alone.
std::optional<BatchChoice> LargestBatchInTime(const Unplanned& unplanned, int head, PointId point, int max_rows);

// The most accurate point that all `members` accept and that runs them within `slack`. As long as there is none, the
// last member is left out: fewer rows may take longer than more, but the first alone is known to be in time.
BatchChoice MostAccurateBatch(const Unplanned& unplanned, std::vector<int> members, Duration slack);

// "name:point", or "name" without a point.
std::string WithPoint(std::string_view name, std::optional<PointId> point, const PointTable& points);

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_POLICIES_EDF_FILLING_H_
