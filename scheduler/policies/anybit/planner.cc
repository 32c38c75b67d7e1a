#include "scheduler/policies/anybit/planner.h"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "scheduler/latency/latency_table.h"
#include "scheduler/latency/point_ranking.h"
#include "scheduler/point_table.h"
#include "scheduler/policies/anybit/candidate.h"
#include "scheduler/policies/anybit/look_ahead.h"
#include "scheduler/policies/anybit/outlook.h"
#include "scheduler/policies/anybit/overload.h"
#include "scheduler/policies/anybit/plan_state.h"
#include "scheduler/policies/anybit/queue_scan.h"
#include "scheduler/policies/anybit/slot_times.h"
#include "scheduler/request.h"

namespace anybit::scheduler {
namespace {

class Planner {
 public:
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

void Planner::PlanAll() {
  const SchedulerView& view = outlook_.view();
  for (size_t s = 0; s < view.slots.size(); ++s) {
    if (view.slots[s].idle) PlanSlot(static_cast<int>(s));
  }
  RefuseHopeless();
}

void Planner::PlanSlot(int slot) {
  if (!DropInfeasible()) return;
  if (state_.begin >= outlook_.with_deadline()) {
    RunWithoutDeadline(slot);
    return;
  }
  bool too_long = false;
  if (state_.uniform) {
    too_long = IsTooLong(outlook_, state_);
  } else {
    scan_.Read(state_);
    too_long = scan_.is_too_long();
  }
  if (!too_long && RunsAtALevel(slot)) return;
  if (!TriesUntried(slot)) RunInOverload(slot);
}

bool Planner::DropInfeasible() {
  state_.SkipTaken(outlook_.end());
  while (state_.begin < outlook_.end() && !IsFeasible(outlook_.view(), outlook_.At(state_.begin))) {
    state_.decision.shed.push_back(state_.begin++);
    state_.SkipTaken(outlook_.end());
  }
  return state_.begin < outlook_.end();
}

bool Planner::RunsAtALevel(int slot) {
  for (size_t level = 0; level < outlook_.points().size(); ++level) {
    const RankedPoint& point = outlook_.points()[level];
    if (point.dominated_by != 0) continue;
    if (state_.uniform) {
      if (Runs(slot, level, point, Membership::kOwnGroup)) return true;
      continue;
    }
    const RankedPoint& of_head = scan_.PointAt(level, scan_.KindOf(state_.begin));
    const RankedPoint& of_most = scan_.PointOfMost(level);
    if (Runs(slot, level, of_most, Membership::kOwnGroup)) return true;
    if (&of_head != &of_most && Runs(slot, level, of_head, Membership::kOwnGroup)) return true;
    if (Runs(slot, level, of_head, Membership::kAllThatAccept)) return true;
  }
  return false;
}

bool Planner::Runs(int slot, size_t level, const RankedPoint& point, Membership membership) {
  const size_t scratch = state_.decision.members.size();
  Candidate batch = builder_.Gather(level, point, membership, outlook_.max_rows());
  if (batch.count > 0 && LeavesRoom(slot, level, point, batch)) {
    Extend(slot, level, batch);
    Take(slot, point, batch, scratch);
    return true;
  }
  state_.decision.members.resize(scratch);
  return false;
}

bool Planner::LeavesRoom(int slot, size_t level, const RankedPoint& point, const Candidate& batch) const {
  const size_t cheaper = outlook_.NextCheaper(level);
  const RankedPoint& own = outlook_.points()[level];
  const RankedPoint& next = outlook_.points()[cheaper];
  double margin = 0;
  if (cheaper != level) {
    const LaterBatches at_next(outlook_, next, next, scan_.floors());
    if (outlook_.NeedsAllTime(at_next.Cost(), state_.free.count())) return false;
    margin = outlook_.ranking().Margin(level, cheaper);
  }
  SlotTimes free = state_.free;
  free[static_cast<size_t>(std::min(slot, free.count() - 1))] = outlook_.Predict(point, batch.rows);
  if (!state_.uniform && !builder_.CanStillServePassedOver(free, level)) return false;
  const LaterBatches later(outlook_, own, next, scan_.floors());
  const RemainingQueue queue = builder_.Remaining(batch);
  return AllInTime(outlook_, later, queue, free, margin, batch.rows);
}

void Planner::Extend(int slot, size_t level, Candidate& batch) {
  const RankedPoint& point = outlook_.points()[level];
  if (!state_.uniform || batch.first + batch.count < outlook_.with_deadline()) return;
  const int most = std::min(outlook_.max_rows() - batch.rows, outlook_.end() - outlook_.with_deadline());
  for (int more = most; more > 0; more /= 2) {
    const Candidate longer{.first = batch.first, .count = batch.count + more, .rows = batch.rows + more};
    if (outlook_.Predict(point, longer.rows) > outlook_.Slack(state_.begin)) continue;
    if (!LeavesRoom(slot, level, point, longer)) continue;
    batch = longer;
    return;
  }
}

bool Planner::TriesUntried(int slot) {
  const PointSet untried = outlook_.view().latency.untried;
  if (untried.empty()) return false;
  const PendingRequest& head = outlook_.At(state_.begin);
  const RankedPoint* best = nullptr;  // of those that any request accepts
  for (const RankedPoint& point : outlook_.points()) {
    const bool accepted = state_.uniform ? head.allowed.Contains(point.id) : scan_.IsAcceptedByAny(point);
    if (accepted && (best == nullptr || point.value > best->value)) best = &point;
  }
  if (best == nullptr || untried.Contains(best->id)) return false;  // it will run anyway
  const int max_rows = std::max(outlook_.max_rows() / outlook_.options().trial_divisor, head.rows);
  for (size_t p = 0; p < outlook_.points().size(); ++p) {
    const RankedPoint& point = outlook_.points()[p];
    if (!untried.Contains(point.id) || point.value <= best->value * outlook_.options().hoped_time_share) continue;
    const size_t scratch = state_.decision.members.size();
    const Candidate batch = builder_.Gather(p, point, Membership::kAllThatAccept, max_rows);
    if (batch.count > 0) {
      Take(slot, point, batch, scratch);
      return true;
    }
    state_.decision.members.resize(scratch);
  }
  return false;
}

void Planner::RunInOverload(int slot) {
  const size_t scratch = state_.decision.members.size();
  if (!state_.uniform) {
    const PricedBatch best = MostProfitableGroup(outlook_, scan_, state_, builder_);
    Take(slot, *best.point, best.batch, scratch);
    return;
  }
  const PricedBatch best = MostProfitable(outlook_, state_);
  if (best.point == nullptr) return;  // does not occur: the head alone is feasible
  const int passed_from = state_.begin;
  Take(slot, *best.point, best.batch, scratch);
  KeepOrRefuse(passed_from, best.batch.first);
}

void Planner::RunWithoutDeadline(int slot) {
  const AnybitOptions& options = outlook_.options();
  const double limit = outlook_.objective() > 0 ? options.share_of_objective * outlook_.objective()
                                                : Nanoseconds(options.max_batch_without_objective);
  const PendingRequest& head = outlook_.At(state_.begin);
  for (const RankedPoint& point : outlook_.points()) {
    if (!head.allowed.Contains(point.id) || (point.dominated_by & head.allowed.mask()) != 0) continue;
    const size_t scratch = state_.decision.members.size();
    Candidate batch;
    const int scanned = std::min(outlook_.end(), state_.begin + AnybitOptions::kMaxScannedRequests);
    for (int i = state_.begin; i < scanned && batch.rows < outlook_.max_rows(); ++i) {
      const PendingRequest& request = outlook_.At(i);
      if (state_.IsTaken(i) || !request.allowed.Contains(point.id)) continue;
      if (batch.rows + request.rows <= outlook_.max_rows()) builder_.Add(i, batch);
    }
    while (batch.count > 1 && outlook_.Predict(point, batch.rows) > limit) builder_.RemoveLast(batch);
    Take(slot, point, batch, scratch);
    return;
  }
}

void Planner::KeepOrRefuse(int from, int to) {
  // Of equal requests the hopeless are the most urgent ones.
  const double soonest = state_.free.Soonest();
  int kept = from;
  for (int end = to; kept < end;) {
    const int middle = kept + (end - kept) / 2;
    if (IsHopeless(middle, soonest)) {
      kept = middle + 1;
    } else {
      end = middle;
    }
  }
  for (int i = from; i < kept; ++i) state_.decision.shed.push_back(i);
  if (kept == to) return;
  state_.begin = kept;
  state_.uniform = false;
}

void Planner::RefuseHopeless() {
  const SchedulerView& view = outlook_.view();
  for (size_t s = 0; s < static_cast<size_t>(state_.free.count()); ++s) {
    if (view.slots[s].idle && state_.free[s] == 0) return;  // nothing is left for it
  }
  // Predictions err upwards; the batch that ends first may be over sooner by that much.
  const LatencyTable& latency = view.latency;
  const double least = latency.typical_permille - latency.scatter_permille;
  const double computing = std::max(state_.free.Soonest() - Nanoseconds(latency.upper_additive), 0.0);
  const double soonest = computing * std::max(least, 0.0) / latency.upper_permille;
  state_.SkipTaken(outlook_.end());
  while (state_.begin < outlook_.with_deadline() && IsHopeless(state_.begin, soonest)) {
    state_.decision.shed.push_back(state_.begin++);
    state_.SkipTaken(outlook_.end());
  }
}

bool Planner::IsHopeless(int position, double start) {
  const PendingRequest& request = outlook_.At(position);
  if (!(request.allowed == least_for_) || request.rows != least_rows_) {
    least_for_ = request.allowed;
    least_rows_ = request.rows;
    least_time_ = Nanoseconds(outlook_.view().latency.FastestLeast(request.allowed, request.rows));
  }
  return start + least_time_ > outlook_.Slack(position);
}

void Planner::Take(int slot, const RankedPoint& point, const Candidate& batch, size_t scratch) {
  std::vector<int>& members = state_.decision.members;
  if (members.size() == scratch) {
    for (int i = 0; i < batch.count; ++i) members.push_back(batch.first + i);
    state_.begin = batch.first + batch.count;
  } else {
    std::sort(members.begin() + static_cast<std::ptrdiff_t>(scratch), members.end());
    state_.uniform = false;
  }
  state_.decision.plans.push_back(
      {.slot = slot, .point = point.id, .first = static_cast<int>(scratch), .count = batch.count});
  if (slot < state_.free.count()) state_.free[static_cast<size_t>(slot)] = outlook_.Predict(point, batch.rows);
}

}  // namespace

void PlanInto(const SchedulerView& view, const AnybitOptions& options, Decision& decision) {
  Planner(view, options, decision).PlanAll();
}

}  // namespace anybit::scheduler
