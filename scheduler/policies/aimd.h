// Clipper: one point, and a batch limit that additive increase and multiplicative decrease found (SchedulerView's
// aimd_rows, kept by the engine).
//
// Clipper itself looks at no deadline. Here a batch is also cut to what the point finishes within the head's slack, and
// a head it cannot finish in time is refused, as every policy here does; so this is Clipper at its best. A request that
// does not accept the point runs at its most accurate point; a request of more rows than the limit runs alone.
#ifndef ANYBIT_SCHEDULER_POLICIES_AIMD_H_
#define ANYBIT_SCHEDULER_POLICIES_AIMD_H_

#include <optional>
#include <string>

#include "scheduler/point_table.h"
#include "scheduler/policy.h"

namespace anybit::scheduler {

class Aimd final : public SchedulingPolicy {
 public:
  // `point` is an index of `points`, which are not empty; without it, the most accurate.
  Aimd(std::optional<PointId> point, const PointTable& points);

  std::string_view name() const override { return name_; }
  void DecideInto(const SchedulerView& view, Decision& decision) const override;

 private:
  const PointId point_;
  const std::string name_;
};

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_POLICIES_AIMD_H_
