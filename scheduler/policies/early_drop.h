// Early drop (Nexus): batches of one size, and no head may make them smaller.
//
// The point: the given one, or that with the most rows per second; a request that does not accept it gets that with the
// most rows per second among those that it accepts. The size: that of most rows per second in half the objective, so
// that a request that just missed a batch is in time with the next one; at least one. The objective is the typical one
// of late, or the head's own as long as nothing is known. A window of that size, or of what waits, slides over the
// queue in deadline order: a head that would be late with its whole window is refused, and the window moves on. It runs
// at once.
#ifndef ANYBIT_SCHEDULER_POLICIES_EARLY_DROP_H_
#define ANYBIT_SCHEDULER_POLICIES_EARLY_DROP_H_

#include <optional>
#include <string>

#include "scheduler/point_table.h"
#include "scheduler/policy.h"

namespace anybit::scheduler {

class EarlyDrop final : public SchedulingPolicy {
 public:
  // `point` is an index of `points`.
  EarlyDrop(std::optional<PointId> point, const PointTable& points);

  std::string_view name() const override { return name_; }
  void DecideInto(const SchedulerView& view, Decision& decision) const override;

 private:
  const std::optional<PointId> point_;
  const std::string name_;
};

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_POLICIES_EARLY_DROP_H_
