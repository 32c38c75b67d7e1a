// Refuse now rather than late: whether a request is worth queueing, decided when it arrives.
#ifndef ANYBIT_SCHEDULER_ADMISSION_H_
#define ANYBIT_SCHEDULER_ADMISSION_H_

#include <cstddef>
#include <optional>

#include "absl/status/status.h"
#include "scheduler/decision.h"
#include "scheduler/request.h"
#include "scheduler/time.h"

namespace anybit {

struct Admission {
  absl::Status status;         // OK: it may wait
  std::optional<int> instead;  // with OK: there is no room for all, and this position is to be refused for it
  bool predicted = false;      // the refusal rests on predictions alone
};

class AdmissionControl {
 public:
  // Pure. InvalidArgument: no accepted point, or rows outside 1..max_batch. Unavailable: draining. DeadlineExceeded:
  // the deadline is not after now, or the best that can be hoped for (LatencyModel::FastestHoped) is later, so that
  // trying again is no use. ResourceExhausted: there is no room and nobody who weighs less. There is room as
  // long as the queue is not full and the deadline can be met by the fastest plan: the present queue's earlier
  // deadlines at their cheapest points in the best batches, on all slots, then this request. That is optimistic on
  // purpose, by two full batches of more urgent requests that may be given up: what is admitted may still be shed, what
  // is refused was lost. Where weights differ (see RequestWeight), who weighs less makes room, and is not admitted if
  // it would make one who weighs more late.
  Admission Admit(const SchedulerView& view, const PendingRequest& request) const;
};

// Slot time that is spent before a request behind the first `count` of the waiting: what runs, then those at their
// cheapest points in the best batches.
Duration WorkBefore(const SchedulerView& view, size_t count);

// What of a queue may be given up in overload: two full batches of requests that accept `allowed`.
Duration MostGivenUp(const SchedulerView& view, PointSet allowed);

// Whether a request that has `slack` has room, if it and those before it need `work` of all slots together.
bool Fits(Duration work, Duration slack, int slots, Duration most_given_up);

// When the present queue will have drained, at the cheapest points in the best batches: when to try again.
Duration PredictedDrain(const SchedulerView& view);

}  // namespace anybit

#endif  // ANYBIT_SCHEDULER_ADMISSION_H_
