// Refuse now rather than late: whether a request is worth queueing, decided when it arrives.
#ifndef ANYBIT_SCHEDULER_ADMISSION_H_
#define ANYBIT_SCHEDULER_ADMISSION_H_

#include "absl/status/status.h"
#include "scheduler/decision.h"
#include "scheduler/request.h"
#include "scheduler/time.h"

namespace anybit {

class AdmissionControl {
 public:
  // Pure. InvalidArgument: no accepted point, or rows outside 1..max_batch. Unavailable: draining. DeadlineExceeded:
  // the deadline is not after now. ResourceExhausted: the queue is full, or the deadline would be missed even if the
  // present queue's earlier deadlines ran at their cheapest points in the best batches, on all slots, and this request
  // at its fastest point. That is optimistic on purpose: what is admitted may still be shed, what is refused was lost.
  absl::Status Admit(const SchedulerView& view, const PendingRequest& request) const;
};

// When the present queue will have drained, at the cheapest points in the best batches: when to try again.
Duration PredictedDrain(const SchedulerView& view);

}  // namespace anybit

#endif  // ANYBIT_SCHEDULER_ADMISSION_H_
