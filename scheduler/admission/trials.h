// Requests that predictions refuse and that are tried all the same, while a slot is idle.
//
// TrialGate says when; this says which request, and how it is decided: by a latency table that hopes for more than
// measurements say. A trial that succeeds replaces what was believed (LatencyModel::ObserveSuccess).
#ifndef ANYBIT_SCHEDULER_ADMISSION_TRIALS_H_
#define ANYBIT_SCHEDULER_ADMISSION_TRIALS_H_

#include <optional>

#include "absl/functional/function_ref.h"
#include "base/time.h"
#include "scheduler/admission/admission.h"
#include "scheduler/admission/trial_gate.h"
#include "scheduler/checked_policy.h"
#include "scheduler/decision.h"
#include "scheduler/latency/latency_model.h"
#include "scheduler/latency/latency_table.h"
#include "scheduler/latency/profile.h"
#include "scheduler/point_table.h"
#include "scheduler/request.h"

namespace anybit::scheduler {

// Whether the request has time for the best that can be hoped for.
bool IsHopeful(const SchedulerView& view, const PendingRequest& request);

class Trials {
 public:
  // The engine's present view, with another latency table.
  using ViewWith = absl::FunctionRef<SchedulerView(const LatencyTable&)>;

  // `admission` and `policy` outlive it; `profile` is valid.
  Trials(const Profile& profile, const LatencyModelOptions& latency, Duration interval,
         const AdmissionControl& admission, CheckedPolicy& policy);

  // How a request that predictions refuse may wait: for the trial that it will be, or for the end of a trial. nullopt:
  // it may not.
  std::optional<Admission> Hope(const SchedulerView& view, const PendingRequest& request, ViewWith view_with);

  // For an idle slot and a `decision` that refuses requests and runs nothing. If the gate is open, changes `decision`
  // to run one of these requests. Returns whether it did.
  bool Start(const SchedulerView& view, Decision& decision, ViewWith view_with);

  // The predicted time of a batch, by the table that the last trial was decided by.
  Duration Predict(PointId point, int rows) const { return hopeful_.table().Predict(point, rows); }

  // A request is refused by prediction.
  void CountRefusal(const SchedulerView& view, const PendingRequest& request);

  void End(MonoTime now, bool in_time) { gate_.End(now, in_time); }
  bool IsUnderWay(MonoTime now) const { return gate_.IsUnderWay(now); }

 private:
  // The policy's plan for `request` alone if batches took `permille` / 1000 of the profile; nullopt if it has none.
  std::optional<Plan> PlanOf(const SchedulerView& view, const PendingRequest& request, int permille,
                             ViewWith view_with);
  const LatencyTable& TableAt(int permille);

  const AdmissionControl& admission_;
  CheckedPolicy& policy_;
  TrialGate gate_;
  LatencyModel hopeful_;
  int hopeful_permille_ = 1000;
  Decision decision_;  // its memory is kept
};

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_ADMISSION_TRIALS_H_
