// The batch to run when not everything can be in time: that which earns the most for its time.
#ifndef ANYBIT_SCHEDULER_POLICIES_ANYBIT_OVERLOAD_H_
#define ANYBIT_SCHEDULER_POLICIES_ANYBIT_OVERLOAD_H_

#include <array>
#include <utility>

#include "scheduler/latency/point_ranking.h"
#include "scheduler/policies/anybit/candidate.h"
#include "scheduler/policies/anybit/outlook.h"
#include "scheduler/policies/anybit/plan_state.h"
#include "scheduler/policies/anybit/queue_scan.h"

namespace anybit {

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
class GroupChooser {
 public:
  GroupChooser(const Outlook& outlook, const QueueScan& scan, PlanState& state, CandidateBuilder& builder)
      : outlook_(outlook), scan_(scan), state_(state), builder_(builder) {}

  // Gathers the members at the end of Decision::members. There is always a batch.
  PricedBatch Choose();

 private:
  struct Group {
    const RankedPoint* point = nullptr;
    double weight = 0;
    int rows = 0;  // of the request that the group goes first by
  };

  // The groups of the weightiest and then most urgent request with a floor and of that without, which can still be in
  // time; the group that goes first is first.
  std::array<Group, 2> ByUrgency() const;
  // The largest batch of a group, of up to `max_rows` rows, and the latency that all of it have the slack for. It is
  // not empty: in the end it has the place for the request that the group goes first by.
  std::pair<Candidate, double> LargestOf(const Group& group, int max_rows);
  // Adds requests of the group with slack for `latency`, the weightiest first.
  void AddByWeight(const RankedPoint& point, double latency, int max_rows, Candidate& batch);
  // Adds those of one weight, in order of urgency; of any weight if weights do not vary.
  void AddOfWeight(const RankedPoint& point, double latency, double weight, int max_rows, Candidate& batch);
  // The largest weight below `below` among the scanned; 0 if there is none.
  double NextWeight(double below) const;

  const Outlook& outlook_;
  const QueueScan& scan_;
  PlanState& state_;
  CandidateBuilder& builder_;
};

}  // namespace anybit

#endif  // ANYBIT_SCHEDULER_POLICIES_ANYBIT_OVERLOAD_H_
