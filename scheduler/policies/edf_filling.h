// What the policies here share: idle slots are filled one by one, each from the earliest deadline that still waits.
//
// A policy is then one rule: how to run the head now, with which others. No rule for a head means it is refused and the
// next one is looked at, so an infeasible head never stands before the others.
#ifndef ANYBIT_SCHEDULER_POLICIES_EDF_FILLING_H_
#define ANYBIT_SCHEDULER_POLICIES_EDF_FILLING_H_

#include <optional>
#include <span>
#include <vector>

#include "absl/functional/function_ref.h"
#include "scheduler/decision.h"

namespace anybit {

// The requests of a view that no plan has taken yet.
class Unplanned {
 public:
  explicit Unplanned(const SchedulerView& view) : view_(view), taken_(view.waiting.size()) {}

  const SchedulerView& view() const { return view_; }
  const PendingRequest& At(int position) const { return view_.waiting[static_cast<size_t>(position)]; }

  // Position of the earliest deadline left; nullopt if none is.
  std::optional<int> Head() const;

  // From the head on in deadline order, the requests that accept `point`, as long as their rows sum to at most
  // `max_rows`; what does not fit or not accept is passed over.
  std::vector<int> Gather(PointId point, int max_rows) const;

  void Take(int position);

 private:
  const SchedulerView& view_;
  std::vector<bool> taken_;
  int head_ = 0;   // every position before it is taken
};

struct BatchChoice {
  PointId point{};
  std::vector<int> members;   // includes the head
};

// Asks `choose` for each idle slot and head until slots or requests run out; heads without a choice are shed.
void FillIdleSlots(const SchedulerView& view, Decision& decision,
                   absl::FunctionRef<std::optional<BatchChoice>(const Unplanned&, int head)> choose);

int SumRows(const SchedulerView& view, std::span<const int> positions);

// The most accurate of `allowed` that runs `rows` within `slack`; of equal accuracies the faster, then the smaller id.
std::optional<PointId> MostAccurateWithin(const LatencyModel& latency, PointSet allowed, int rows, Duration slack);

// The largest number of rows that `point` runs within `slack`; 0 if there is none.
int LargestWithin(const LatencyModel& latency, PointId point, Duration slack);

}  // namespace anybit

#endif  // ANYBIT_SCHEDULER_POLICIES_EDF_FILLING_H_
