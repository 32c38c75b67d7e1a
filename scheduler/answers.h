// How requests end: the caller gets the outcome, the observers get the event, and the attainment meter counts it.
#ifndef ANYBIT_SCHEDULER_ANSWERS_H_
#define ANYBIT_SCHEDULER_ANSWERS_H_

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "base/time.h"
#include "scheduler/batch.h"
#include "scheduler/feedback/attainment_meter.h"
#include "scheduler/feedback/tenant.h"
#include "scheduler/observer_list.h"
#include "scheduler/point_table.h"
#include "scheduler/queue/waiting_requests.h"
#include "scheduler/request.h"
#include "scheduler/running_batches.h"

namespace anybit::scheduler {

class Answers {
 public:
  // All outlive it. `all_points` are those that a request without a floor accepts.
  Answers(PointSet all_points, const TenantMeter& tenants, ObserverList& observers)
      : all_points_(all_points), tenants_(tenants), observers_(observers) {}

  struct Refusal {
    absl::Status status;  // tells how it ends: ResourceExhausted is shed, for instance
    ShedReason reason{};  // if it is shed
    Duration retry_after{};
  };

  // A request ends before it runs.
  void Refuse(MonoTime now, WaitingRequest waiting, Refusal refusal);

  // A waiting request can no longer be in time: it is shed while its caller may still ask elsewhere, then expired.
  void RefuseLate(MonoTime now, WaitingRequest waiting, Duration retry_after);

  // A batch ended at `now`: notes which members are in time and counts them. Returns whether all are.
  bool CountBatch(MonoTime now, bool ok, RunningBatch& batch);

  // Answers the members of a batch that ended at `ended`. `accuracy` is that of its point.
  void AnswerBatch(MonoTime ended, RunningBatch batch, BatchResult result, double accuracy);

  const AttainmentMeter& attainment() const { return attainment_; }

 private:
  void CountAttained(const PendingRequest& request, OutcomeKind kind, bool in_time);
  void End(MonoTime now, const PendingRequest& request, ShedReason reason, Outcome outcome,
           absl::AnyInvocable<void(Outcome)> done);

  const PointSet all_points_;
  const TenantMeter& tenants_;
  ObserverList& observers_;
  AttainmentMeter attainment_;
};

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_ANSWERS_H_
