// Fills a decision, one idle slot after another.
//
// For each slot, levels are tried from the most accurate point down: the first batch behind which everything else can
// be in time (LookAhead) runs. If no level passes there is overload, and the batch that earns most for its time runs.
// A request that no batch can serve is refused.
#ifndef ANYBIT_SCHEDULER_POLICIES_ANYBIT_PLANNER_H_
#define ANYBIT_SCHEDULER_POLICIES_ANYBIT_PLANNER_H_

#include <cstddef>

#include "scheduler/decision.h"
#include "scheduler/latency/point_ranking.h"
#include "scheduler/point_table.h"
#include "scheduler/policies/anybit/anybit_options.h"
#include "scheduler/policies/anybit/candidate.h"
#include "scheduler/policies/anybit/outlook.h"
#include "scheduler/policies/anybit/plan_state.h"
#include "scheduler/policies/anybit/queue_scan.h"

namespace anybit {

class Planner {
 public:
  // All outlive the planner; `decision` is empty.
  Planner(const SchedulerView& view, const AnybitOptions& options, Decision& decision)
      : outlook_(view, options), state_(outlook_, decision), scan_(outlook_), builder_(outlook_, scan_, state_) {}

  void PlanAll();

 private:
  void PlanSlot(int slot);
  // Refuses from the front of the queue what no point can serve in time; whether anything is left.
  bool DropInfeasible();
  bool RunsAtALevel(int slot);
  // Runs a batch at `point`, where all runs at `level`, if there is room for it.
  bool Runs(int slot, size_t level, const RankedPoint& point, Membership membership);
  // Whether everything else can be in time if `slot` runs `batch` at `point` now and all runs at about `level` then.
  bool LeavesRoom(int slot, size_t level, const RankedPoint& point, const Candidate& batch) const;
  // Fills up with requests without a deadline, as far as there is room for them too.
  void Extend(int slot, size_t level, Candidate& batch);
  // Runs a batch at a point of which too little is known, if it might be worth more than all others.
  bool TriesUntried(int slot);
  void RunWithoutDeadline(int slot);
  void RunInOverload(int slot);
  // Requests that were passed over for a batch of less urgent ones: another slot may still serve them.
  void KeepOrRefuse(int from, int to);
  // Gives up early what cannot be served by the slot that is free first, even if that is faster than predicted.
  void RefuseHopeless();
  bool IsHopeless(int position, double start);
  // Adds the plan. With a uniform queue members are added, too; otherwise they stand at `scratch` in Decision::members.
  void Take(int slot, const RankedPoint& point, const Candidate& batch, size_t scratch);

  const Outlook outlook_;
  PlanState state_;
  QueueScan scan_;
  CandidateBuilder builder_;
  PointSet least_for_;  // the last answer of IsHopeless: there are few different floors
  int least_rows_ = 0;
  double least_time_ = 0;
};

}  // namespace anybit

#endif  // ANYBIT_SCHEDULER_POLICIES_ANYBIT_PLANNER_H_
