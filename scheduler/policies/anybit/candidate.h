// The batch that is being considered, and the rules by which it takes members.
#ifndef ANYBIT_SCHEDULER_POLICIES_ANYBIT_CANDIDATE_H_
#define ANYBIT_SCHEDULER_POLICIES_ANYBIT_CANDIDATE_H_

#include <array>
#include <cstddef>
#include <span>

#include "scheduler/latency/point_ranking.h"
#include "scheduler/policies/anybit/anybit_options.h"
#include "scheduler/policies/anybit/look_ahead.h"
#include "scheduler/policies/anybit/outlook.h"
#include "scheduler/policies/anybit/plan_state.h"
#include "scheduler/policies/anybit/queue_scan.h"

namespace anybit::scheduler {

// With a uniform queue, the members are positions from `first` on; otherwise they are the last `count` of
// Decision::members.
struct Candidate {
  int first = 0;
  int count = 0;
  int rows = 0;
};

// Which requests may be members: those that run at the batch's point at its level, or all that accept the point.
enum class Membership { kOwnGroup, kAllThatAccept };

// Gathers candidates in the memory of a decision. With a queue that is not uniform, `scan` has read it.
class CandidateBuilder {
 public:
  CandidateBuilder(const Outlook& outlook, const QueueScan& scan, PlanState& state)
      : outlook_(outlook), scan_(scan), state_(state) {}

  // The largest batch of up to `max_rows` rows that `point` runs in time, from the most urgent member on; empty if
  // there is none.
  Candidate Gather(size_t level, const RankedPoint& point, Membership membership, int max_rows);

  void Add(int position, Candidate& batch) {
    state_.decision.members.push_back(position);
    ++batch.count;
    batch.rows += outlook_.At(position).rows;
  }
  void RemoveLast(Candidate& batch) {
    batch.rows -= outlook_.At(state_.decision.members.back()).rows;
    --batch.count;
    state_.decision.members.pop_back();
  }

  // Aged requests replace the least urgent members, never the first, as far as the batch takes no longer than `limit`.
  void MakeRoomForAged(const RankedPoint& point, double limit, Candidate& batch);

  // The requests with a deadline that are left if `batch`, the one gathered last, runs.
  RemainingQueue Remaining(const Candidate& batch) const;

  // Whether the most urgent request passed over for the last batch gathered can run next, with the others of its group.
  bool CanStillServePassedOver(const SlotTimes& free, size_t level) const;

 private:
  Candidate GatherUniform(const RankedPoint& point, int max_rows) const;
  // Takes scanned requests with a deadline until the batch is full; notes those that it passes over.
  void AddMembers(size_t level, const RankedPoint& point, Membership membership, int max_rows, Candidate& batch);
  std::span<const int> passed_over() const { return std::span(passed_over_).first(static_cast<size_t>(passed_count_)); }

  const Outlook& outlook_;
  const QueueScan& scan_;
  PlanState& state_;
  int passed_count_ = 0;  // by the last Gather
  std::array<int, AnybitOptions::kMaxScannedRequests> passed_over_;
};

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_POLICIES_ANYBIT_CANDIDATE_H_
