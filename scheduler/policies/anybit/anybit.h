// Our policy: the most accurate point that leaves room for the queue and for the arrivals to expect.
//
// For each free slot, from the most accurate point down: take the largest batch of the earliest deadlines that is in
// time, and look ahead. The look-ahead runs the slots on, batch after batch, over the queue and over arrivals as the
// forecast has them, for two objectives or until the queue is short again. The point is taken if nothing is late. So
// the point follows from what lies ahead, not from the slack of the head alone. A batch size that feeds itself is
// found, since batches grow with the queue. An objective, a load or a profile of any shape needs no parameter.
//
// How far arrivals may exceed their forecast is the newsvendor's question. A batch at p instead of the next cheaper
// point q gains accuracy(p) - accuracy(q) per row and takes cost(p) - cost(q) longer. If that time is missed later,
// requests worth accuracy/cost of the fastest point per unit of time are lost. So p pays as long as the chance of that
// is below the ratio of the two slopes: the look-ahead takes the arrivals that are exceeded with this probability.
//
// If no point passes, there are more requests than can be served. Then the batch that earns most for its time runs, of
// those requests that can still be in time, and the others are refused at once.
//
// Planner fills the decision; Outlook is what it looks at; LookAhead judges a candidate; overload.h chooses in
// overload.
#ifndef ANYBIT_SCHEDULER_POLICIES_ANYBIT_ANYBIT_H_
#define ANYBIT_SCHEDULER_POLICIES_ANYBIT_ANYBIT_H_

#include <string>
#include <string_view>
#include <utility>

#include "scheduler/policies/anybit/anybit_options.h"
#include "scheduler/policy.h"

namespace anybit::scheduler {

class Anybit final : public SchedulingPolicy {
 public:
  explicit Anybit(const AnybitOptions& options = {}, std::string name = "anybit")
      : options_(options), name_(std::move(name)) {}

  std::string_view name() const override { return name_; }
  void DecideInto(const SchedulerView& view, Decision& decision) const override;

 private:
  const AnybitOptions options_;
  const std::string name_;
};

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_POLICIES_ANYBIT_ANYBIT_H_
