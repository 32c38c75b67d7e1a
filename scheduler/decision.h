// What a policy sees, and what it may answer.
//
// A view is a snapshot made of spans over the engine's own state: valid during one call, cheap to make, no payloads.
// A decision names requests by their position in that view. Check is the only gate between a policy and the world.
#ifndef ANYBIT_SCHEDULER_DECISION_H_
#define ANYBIT_SCHEDULER_DECISION_H_

#include <span>
#include <vector>

#include "absl/status/status.h"
#include "scheduler/latency_model.h"
#include "scheduler/point_table.h"
#include "scheduler/request.h"
#include "scheduler/time.h"

namespace anybit {

struct SlotView {
  bool idle = true;
  MonoTime free_at{};   // predicted, if not idle; may already be past
};

struct SchedulerView {
  MonoTime now{};
  std::span<const PendingRequest> waiting;   // by (deadline, id); for Decide, every deadline is after `now`
  int waiting_rows = 0;
  std::span<const SlotView> slots;
  const LatencyModel& latency;               // has the point table and the largest batch too
  int max_queue_requests = 0;
  bool draining = false;
};

// Runs these requests as one batch.
struct Plan {
  int slot = 0;
  PointId point{};
  std::vector<int> members;   // positions in SchedulerView::waiting
};

struct Decision {
  std::vector<int> shed;      // positions to refuse
  std::vector<Plan> plans;    // at most one per idle slot
  MonoTime wake_at = kNever;  // ask again then at the latest; see Check for when that is needed
};

// deadline - now; Duration::max() if the request has none.
inline Duration Slack(const SchedulerView& view, const PendingRequest& request) {
  return Until(view.now, request.deadline);
}

// Whether some accepted point, started now with this request alone, is predicted to finish in time.
bool IsFeasible(const SchedulerView& view, const PendingRequest& request);

// OK if the engine may apply `decision`: slots exist, are idle and used once; points exist; members exist, are used
// once, accept their batch's point and sum to at most max_batch rows. If a slot is left idle beside a feasible request,
// wake_at must lie after now and no later than the last instant at which that request can still be started: nobody
// waits for ever, nobody is waited to death. Otherwise an Internal error that says what is wrong.
absl::Status Check(const SchedulerView& view, const Decision& decision);

}  // namespace anybit

#endif  // ANYBIT_SCHEDULER_DECISION_H_
