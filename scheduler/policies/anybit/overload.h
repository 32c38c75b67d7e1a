// The batch to run when not everything can be in time: that which earns the most for its time.
#ifndef ANYBIT_SCHEDULER_POLICIES_ANYBIT_OVERLOAD_H_
#define ANYBIT_SCHEDULER_POLICIES_ANYBIT_OVERLOAD_H_

#include "scheduler/latency/point_ranking.h"
#include "scheduler/policies/anybit/candidate.h"
#include "scheduler/policies/anybit/outlook.h"
#include "scheduler/policies/anybit/plan_state.h"
#include "scheduler/policies/anybit/queue_scan.h"

namespace anybit::scheduler {

struct PricedBatch {
  const RankedPoint* point = nullptr;  // null: there is none
  Candidate batch;
};

// Whether something is late even if all slots run the best batches of the cheapest point from now on: then no level
// passes. Of a uniform queue.
bool IsTooLong(const Outlook& outlook, const PlanState& state);

// Of a uniform queue: the point and rows that maximise accuracy * rows - (most accuracy per time) * latency, what they
// earn beyond what their time is worth. Members are the most urgent requests with slack for it.
PricedBatch MostProfitable(const Outlook& outlook, const PlanState& state);

// The same for requests that differ. A batch holds requests of one group: those with the same most valuable point, at
// that point, so that a floor is no disadvantage. The group of the weightiest request goes first. Of equal weights,
// requests with and without a floor take turns: first those that have been answered in time less often lately. A group
// with rows for a batch worth its time goes before another: groups take turns, not parts of batches.
// Members are gathered at the end of Decision::members. There is always a batch.
PricedBatch MostProfitableGroup(const Outlook& outlook, const QueueScan& scan, PlanState& state,
                                CandidateBuilder& builder);

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_POLICIES_ANYBIT_OVERLOAD_H_
