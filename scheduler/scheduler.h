// The engine: admits requests, keeps them in deadline order, asks a policy what to run, runs it, and answers.
//
// It decides nothing itself. Each turn takes a snapshot (SchedulerView), asks the policy (CheckedPolicy) and applies
// the decision. State belongs to the event loop's thread: no mutex.
//
//   Scheduler scheduler(loop, runner, policy, admission, profile, {&metrics}, {});
//   scheduler.Submit({.deadline = deadline, .allowed = points, .payload = std::move(payload)},
//                    [](Outcome outcome) { ... });
#ifndef ANYBIT_SCHEDULER_SCHEDULER_H_
#define ANYBIT_SCHEDULER_SCHEDULER_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "base/time.h"
#include "scheduler/admission/admission.h"
#include "scheduler/admission/early_refusal.h"
#include "scheduler/admission/trials.h"
#include "scheduler/answers.h"
#include "scheduler/batch_runner.h"
#include "scheduler/checked_policy.h"
#include "scheduler/decision.h"
#include "scheduler/feedback/aimd_limit.h"
#include "scheduler/feedback/edge_backlog.h"
#include "scheduler/feedback/tenant.h"
#include "scheduler/latency/arrival_meter.h"
#include "scheduler/latency/delivery_meter.h"
#include "scheduler/latency/latency_model.h"
#include "scheduler/latency/latency_table.h"
#include "scheduler/latency/profile.h"
#include "scheduler/loop/event_loop.h"
#include "scheduler/observer.h"
#include "scheduler/observer_list.h"
#include "scheduler/policy.h"
#include "scheduler/queue/waiting_requests.h"
#include "scheduler/request.h"
#include "scheduler/running_batches.h"
#include "scheduler/switch_reason.h"

namespace anybit::scheduler {

// One call of a client, as handed to Submit.
struct SubmitRequest {
  MonoTime deadline = kNever;  // asked for by the caller
  PointSet allowed;            // not empty, within the point table
  SlaClassId sla_class{};
  TenantId tenant{};
  int rows = 1;  // 1..max_batch
  std::unique_ptr<Payload> payload;
};

struct SchedulerOptions {
  int max_queue_requests = 10000;
  std::vector<double> class_weights;  // by SlaClassId, above 0; of classes beyond its end: 1
  std::vector<double> tenant_shares;  // by TenantId, above 0; empty: all requests are one tenant's
  LatencyModelOptions latency;
  Duration trial_interval = std::chrono::seconds(1);  // see TrialGate
};

class Scheduler {
 public:
  using Done = absl::AnyInvocable<void(Outcome)>;

  // All references but `profile` (valid; seeds the latency model) must outlive the scheduler. It is destroyed after the
  // loop stopped and the runner is idle; a request not answered by then (no Drain) never is. Observers are called in
  // order.
  Scheduler(EventLoop& loop, BatchRunner& runner, const SchedulingPolicy& policy, const AdmissionControl& admission,
            const Profile& profile, std::vector<SchedulerObserver*> observers, SchedulerOptions options);

  // Takes the request; `done` is called exactly once, on the loop thread. Arrival is stamped in Submit.
  // Any thread; never blocks.
  RequestId Submit(SubmitRequest request, Done done);

  // A retry delay if Submit would refuse any request with this deadline, judged by the last turn. The caller then
  // refuses the request; it counts as an arrival. ReportRefused tells the observers of a refused request whose class
  // and tenant are known. Any thread; never blocks.
  std::optional<Duration> RefuseEarly(MonoTime deadline);
  // The same, for a caller that has yet to decide: nothing is counted.
  std::optional<Duration> WouldRefuse(MonoTime deadline) const { return early_refusal_.Refuses(loop_.Now(), deadline); }
  ShedReason early_reason() const { return early_refusal_.reason(); }

  // A call with a deadline was refused before it could be submitted, though not by RefuseEarly: it counts as an
  // arrival, too, so that points are chosen for it as well. Any thread; never blocks.
  void CallRefused() { refused_early_.fetch_add(1, std::memory_order_relaxed); }

  // Whether RefuseEarly may refuse anything now: so that callers prepare the question only where it matters. Any
  // thread; never blocks.
  bool RefusesSomeEarly() const { return early_refusal_.RefusesSome(); }
  void ReportRefused(SlaClassId sla_class, TenantId tenant, int rows);

  // The client went away: ends it as kCancelled if it waits; if it runs, its row is computed and dropped, and it ends
  // as kCancelled when the batch finishes. Unknown or ended ids are ignored. Any thread.
  void Cancel(RequestId id);

  // The answer to a request that ran is sent. Sending took from Outcome::ended until now, or `at_least` if that is
  // more; later requests have that much less time (DeliveryMeter). A sample of the answers is enough. Any thread.
  void Delivered(MonoTime ended, Duration at_least = Duration::zero());

  // A refusal that was decided at `ended` is sent. Sending took until now, or `at_least` if that is more; slots wait
  // while it takes long (EdgeBacklog). A sample of the refusals is enough. Any thread.
  void RefusalSent(MonoTime ended, Duration at_least = Duration::zero());

  // The deadline of a call had passed when the edge saw it: the edge is behind by an objective or more. The edge may
  // report a sample of such calls. Any thread.
  void CallExpiredUnseen();
  // A call came in time after others that had not, so the edge is no longer behind. Any thread.
  void CallSeenInTime();

  // New requests end as kUnavailable from now on; `drained` runs on the loop thread once none waits or runs and every
  // answer is out. Any thread.
  void Drain(absl::AnyInvocable<void()> drained);

  // How often the fallback policy had to decide. Loop thread only.
  int64_t replaced_decisions() const { return policy_.replaced(); }

 private:
  // One turn: expire, decide, apply, set the timer, report.
  void Step();
  // Lets Step run once everything posted before has been taken in, so that one decision sees all of it.
  void RequestStep();

  void Arrive(RequestId id, MonoTime arrival, SubmitRequest submitted, Done done);
  // Refuses a waiting request to make room for a heavier request.
  void PushOut(MonoTime now, int position);
  void CancelNow(RequestId id);
  void Expire(MonoTime now);
  // A slot is idle and a request waits. Returns the requests to refuse, which no longer wait.
  std::vector<WaitingRequest> DecideAndDispatch(MonoTime now);
  std::vector<WaitingRequest> Apply(const SchedulerView& view, bool trial);
  void Dispatch(MonoTime now, int slot, PointId point, std::span<WaitingRequest> members, bool trial);
  // Why a batch does not run at `from`; none if it does.
  std::optional<SwitchReason> ReasonToLeave(std::optional<PointId> from, PointId to, PointSet allowed, int rows,
                                            Duration slack) const;
  void FinishBatch(int slot, BatchResult result);
  // Lets the latency model observe a batch that ended well.
  void Learn(MonoTime now, const RunningBatch& batch, Duration compute, bool all_in_time);
  // Posts the answers of a batch that ended at `ended`.
  void PostAnswers(MonoTime ended, RunningBatch batch, BatchResult result);
  void SetTimer(MonoTime wake_at);
  void ReportQueue(MonoTime now);
  void ReportDrained();

  // Whether nothing has run for a while (kRest).
  bool IsAtRest(MonoTime now) const;
  SchedulerView View(MonoTime now) const { return View(now, latency_.table()); }
  SchedulerView View(MonoTime now, const LatencyTable& latency) const;

  // Fixed at construction.
  EventLoop& loop_;
  BatchRunner& runner_;
  const AdmissionControl& admission_;
  const SchedulerOptions options_;
  const bool weights_vary_;

  // Loop thread only.
  ObserverList observers_;
  CheckedPolicy policy_;
  LatencyModel latency_;
  Trials trials_;
  ArrivalMeter arrivals_;
  DeliveryMeter deliveries_;
  std::optional<PointId> last_point_;  // of the last batch
  EdgeBacklog backlog_;
  AimdLimit aimd_;
  TenantMeter tenants_;
  WaitingRequests waiting_;
  RunningBatches running_;
  Answers answers_;
  int unanswered_batches_ = 0;  // ended, their answers are posted
  bool step_requested_ = false;
  TimerId timer_ = TimerId::kNone;
  MonoTime timer_at_ = kNever;
  bool draining_ = false;
  std::vector<absl::AnyInvocable<void()>> drained_;
  Decision decision_;  // of this turn; its memory is kept
  QueueEvent reported_;

  EarlyRefusal early_refusal_;          // loop thread writes, threads of callers read
  std::atomic<int> refused_early_ = 0;  // since the last turn; threads of callers, loop thread

  // Any thread that submits takes the next id; only its uniqueness matters, it orders nothing else.
  std::atomic<uint64_t> last_id_ = 0;
};

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_SCHEDULER_H_
