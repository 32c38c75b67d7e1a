// The snapshot that a policy decides from, and the decision.
//
// A view is made of spans and references over the engine's own state: valid during one call, cheap to make, no
// payloads. A decision names requests by their position in that view. Check is the only gate between a policy and the
// world.
#ifndef ANYBIT_SCHEDULER_DECISION_H_
#define ANYBIT_SCHEDULER_DECISION_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "base/time.h"
#include "scheduler/feedback/tenant.h"
#include "scheduler/latency/arrival_meter.h"
#include "scheduler/latency/latency_table.h"
#include "scheduler/point_table.h"
#include "scheduler/request.h"

namespace anybit::scheduler {

struct SlotView {
  bool idle = true;
  MonoTime free_at{};  // predicted, if not idle; may already be past
};

// A policy remembers nothing: the engine remembers, and shows it here.
struct SchedulerView {
  MonoTime now{};
  std::span<const PendingRequest> waiting;  // by (run_by, id); for Decide, every run_by is after `now`
  int waiting_rows = 0;
  int waiting_special = 0;  // waiting requests of several rows or that do not accept every point
  std::span<const SlotView> slots;
  const LatencyTable& latency;            // has the point table and the largest batch too
  ArrivalForecast arrivals;               // what is likely to arrive
  bool weights_vary = false;              // whether RequestWeight can differ between requests
  std::span<const double> class_weights;  // by SlaClassId; beyond its end: 1
  std::span<const TenantView> tenants;    // by TenantId; beyond its end: one of weight 1
  double attained_with_floor = 1;         // share lately answered in time, of those that did not accept every point
  double attained_without_floor = 1;      // of the others
  double aimd_rows = 1;                   // batch limit that grew with batches in time and shrank with late batches
  int max_queue_requests = 0;
  bool draining = false;
  bool hurry = false;  // run what waits now rather than wait for more
};

// Runs these requests as one batch: `count` members of Decision::members from `first` on.
struct Plan {
  int slot = 0;
  PointId point{};
  int first = 0;
  int count = 0;
};

struct Decision {
  std::vector<int> shed;      // positions to refuse
  std::vector<int> members;   // positions of all plans, one plan after another
  std::vector<Plan> plans;    // at most one per idle slot
  MonoTime wake_at = kNever;  // ask again then at the latest; see Check for when that is needed

  std::span<const int> MembersOf(const Plan& plan) const {
    return std::span(members).subspan(static_cast<size_t>(plan.first), static_cast<size_t>(plan.count));
  }
  void AddPlan(int slot, PointId point, std::span<const int> plan_members);
  // Empties it and keeps its memory.
  void Clear();
};

// The request's weight beside others when not all can be served: its class's times its tenant's.
inline double RequestWeight(const SchedulerView& view, const PendingRequest& request) {
  const auto sla_class = static_cast<size_t>(request.sla_class);
  const auto tenant = static_cast<size_t>(request.tenant);
  return (sla_class < view.class_weights.size() ? view.class_weights[sla_class] : 1) *
         (tenant < view.tenants.size() ? view.tenants[tenant].weight : 1);
}

// run_by - now: the time left for its batch; Duration::max() if the request has none.
inline Duration Slack(const SchedulerView& view, const PendingRequest& request) {
  return Until(view.now, request.run_by);
}

// Whether some accepted point, started now with this request alone, is predicted to finish in time.
bool IsFeasible(const SchedulerView& view, const PendingRequest& request);

// The last instant at which the request, alone at some accepted point, can be started and is predicted to finish in
// time; kNever if it has no deadline.
MonoTime LatestStart(const SchedulerView& view, const PendingRequest& request);

// OK if the engine may apply `decision`: slots exist, are idle and used once; points exist; members exist, are used
// once, accept their batch's point and sum to at most max_batch rows. If a slot is left idle beside a feasible request,
// wake_at must lie after now and no later than the last instant at which that request can still be started: no
// request waits for ever, or until it is too late. Otherwise an Internal error that says what is wrong.
absl::Status Check(const SchedulerView& view, const Decision& decision);

// The same, with memory of its own to mark what a decision uses: asked again and again it allocates nothing.
class DecisionCheck {
 public:
  absl::Status operator()(const SchedulerView& view, const Decision& decision);

 private:
  bool Marks(const SchedulerView& view, int position);
  absl::Status Take(const SchedulerView& view, int position);
  absl::Status TakeSlot(const SchedulerView& view, int slot);
  absl::Status CheckPlan(const SchedulerView& view, const Decision& decision, const Plan& plan);
  absl::Status CheckIdleness(const SchedulerView& view, const Decision& decision) const;

  uint32_t turn_ = 0;                     // marks made in other turns count for nothing
  std::vector<uint32_t> position_taken_;  // the turn in which it was
  std::vector<uint32_t> slot_taken_;
};

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_DECISION_H_
