// Deferred batching (Symphony): a batch of b rows starts only inside [d - l(b + 1), d - l(b)], d the head's deadline:
// not before one more row could no longer join it, nor after it would be late itself.
//
// The point: the given one, or the most accurate that is in time for the head. The batch: the longest run in deadline
// order that the point finishes within the head's slack. It starts at once if it is full (max_batch rows, or a request
// that accepts the point is left over), if none in it has a deadline, or in a hurry (SchedulerView). A head that the
// point cannot finish in time is refused; a head that does not accept the given point gets the most accurate that is
// in time.
#ifndef ANYBIT_SCHEDULER_POLICIES_DEFERRED_H_
#define ANYBIT_SCHEDULER_POLICIES_DEFERRED_H_

#include <optional>
#include <string>

#include "scheduler/point_table.h"
#include "scheduler/policy.h"

namespace anybit::scheduler {

class Deferred final : public SchedulingPolicy {
 public:
  // `point` is an index of `points`.
  Deferred(std::optional<PointId> point, const PointTable& points);

  std::string_view name() const override { return name_; }
  void DecideInto(const SchedulerView& view, Decision& decision) const override;

 private:
  const std::optional<PointId> point_;
  const std::string name_;
};

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_POLICIES_DEFERRED_H_
