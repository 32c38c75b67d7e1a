// The engine: admits requests, keeps them in deadline order, asks a policy what to run, runs it, and answers.
//
// It decides nothing itself. Each turn takes a snapshot (SchedulerView), asks the policy, checks the answer, and applies
// it; a wrong answer is replaced by the fallback policy's. State belongs to the event loop's thread: no mutex.
#ifndef ANYBIT_SCHEDULER_SCHEDULER_H_
#define ANYBIT_SCHEDULER_SCHEDULER_H_

#include <memory>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "scheduler/admission.h"
#include "scheduler/batch_runner.h"
#include "scheduler/event_loop.h"
#include "scheduler/latency_model.h"
#include "scheduler/observer.h"
#include "scheduler/policy.h"
#include "scheduler/request.h"

namespace anybit {

// One call of a client, as handed to Submit.
struct SubmitRequest {
  MonoTime deadline = kNever;
  PointSet allowed;               // not empty, within the point table
  SlaClassId sla_class{};
  int rows = 1;                   // 1..max_batch
  std::unique_ptr<Payload> payload;
};

struct SchedulerOptions {
  int max_queue_requests = 10000;
};

class Scheduler {
 public:
  using Done = absl::AnyInvocable<void(Outcome)>;

  // All references must outlive the scheduler; it is destroyed after the loop stopped and the runner is idle.
  // `profile` (valid) seeds the latency model. Observers are called in order.
  Scheduler(EventLoop& loop, BatchRunner& runner, const SchedulingPolicy& policy, const AdmissionControl& admission,
            const Profile& profile, std::vector<SchedulerObserver*> observers, SchedulerOptions options);

  // Takes the request; `done` is called exactly once, on the loop thread. Arrival is stamped in Submit.
  // Any thread; never blocks.
  RequestId Submit(SubmitRequest request, Done done);

  // The client went away: ends it as kCancelled if it waits; if it runs, its row is computed and dropped, and it ends
  // as kCancelled when the batch finishes. Unknown or ended ids are ignored. Any thread.
  void Cancel(RequestId id);

  // New requests end as kUnavailable from now on; `drained` runs on the loop thread once none waits or runs. Any thread.
  void Drain(absl::AnyInvocable<void()> drained);
};

}  // namespace anybit

#endif  // ANYBIT_SCHEDULER_SCHEDULER_H_
