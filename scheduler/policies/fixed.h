// One operating point for every request that accepts it, as in a server without a choice ("Clipper+").
//
// The batch is the largest that the point finishes within the head's slack; a head it cannot finish in time is refused.
// A request that does not accept the point (its floor or pin excludes it) runs at the most accurate point that it
// accepts.
#ifndef ANYBIT_SCHEDULER_POLICIES_FIXED_H_
#define ANYBIT_SCHEDULER_POLICIES_FIXED_H_

#include <string>

#include "scheduler/point_table.h"
#include "scheduler/policy.h"

namespace anybit::scheduler {

class Fixed final : public SchedulingPolicy {
 public:
  // `point` is an index of `points`.
  Fixed(PointId point, const PointTable& points);

  std::string_view name() const override { return name_; }
  void DecideInto(const SchedulerView& view, Decision& decision) const override;

 private:
  const PointId point_;
  const std::string name_;
};

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_POLICIES_FIXED_H_
