// Refuse now rather than late: whether a request is worth queueing, decided when it arrives.
#ifndef ANYBIT_SCHEDULER_ADMISSION_ADMISSION_H_
#define ANYBIT_SCHEDULER_ADMISSION_ADMISSION_H_

#include <cstddef>
#include <optional>

#include "absl/status/status.h"
#include "base/time.h"
#include "scheduler/decision.h"
#include "scheduler/request.h"

namespace anybit::scheduler {

struct Admission {
  absl::Status status;         // OK: it may wait
  std::optional<int> instead;  // with OK: the queue has no room for both; refuse the request at this position
  bool predicted = false;      // the refusal rests on predictions alone
  ShedReason reason{};         // of ResourceExhausted
};

class AdmissionControl {
 public:
  // Pure. InvalidArgument: no accepted point, or rows outside 1..max_batch. Unavailable: draining. DeadlineExceeded:
  // the deadline is not after now, or the best that can be hoped for (LatencyTable::FastestHoped) is later, so that
  // trying again is no use. ResourceExhausted: there is no room, and no request of less weight. There is room as
  // long as the queue is not full and the deadline can be met by the fastest plan: the present queue's earlier
  // deadlines at their cheapest points in the best batches, on all slots, then this request. That is optimistic on
  // purpose, by two full batches of more urgent requests that may be given up: an admitted request may still be
  // shed, a refused request is lost. Where weights differ (see RequestWeight), a request of less weight makes room, and
  // is not admitted if it would make a request of more weight late.
  Admission Admit(const SchedulerView& view, const PendingRequest& request) const;
};

// The least slot time that `count` of the waiting need, from position `first` on: at their cheapest points in the best
// batches.
Duration WorkOf(const SchedulerView& view, size_t first, size_t count);

// The slot time before a request that stands behind the first `count` of the waiting: running batches, then these
// requests at their cheapest points in the best batches.
Duration WorkBefore(const SchedulerView& view, size_t count);

// The slot time of requests that may be given up in overload: two full batches that accept `allowed`.
Duration MaxGivenUp(const SchedulerView& view, PointSet allowed);

// Whether a request that has `slack` has room, if it and those before it need `work` of all slots together.
bool Fits(Duration work, Duration slack, int slots, Duration max_given_up);

// When the present queue will have drained, at the cheapest points in the best batches: when to try again.
Duration PredictedDrain(const SchedulerView& view);

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_ADMISSION_ADMISSION_H_
