// The scheduler's events, one struct of values each. Metrics, traces and test recorders observe them.
#ifndef ANYBIT_SCHEDULER_OBSERVER_H_
#define ANYBIT_SCHEDULER_OBSERVER_H_

#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "scheduler/request.h"
#include "scheduler/switch_reason.h"

namespace anybit::scheduler {

struct AdmittedEvent {
  RequestId id{};
  MonoTime at{};
  MonoTime deadline{};  // the caller's
  SlaClassId sla_class{};
  TenantId tenant{};
  int rows = 0;
};

struct DispatchedEvent {
  MonoTime at{};
  int slot = 0;
  PointId point{};
  double point_accuracy = 0;  // 0..1
  int requests = 0;
  int rows = 0;
  Duration predicted{};       // by the latency model, for this point and rows
  Duration earliest_slack{};  // earliest run_by of a member minus `at`; Duration::max() if none has a deadline
  std::optional<SwitchReason> switched;  // if the batch before, on any slot, had another point
};

struct BatchFinishedEvent {
  MonoTime at{};
  int slot = 0;
  PointId point{};
  int rows = 0;
  Duration predicted{};
  Duration actual{};    // from dispatch until the loop knew of the end; `predicted` predicts this
  Duration computed{};  // the runner's part of it
  bool ok = false;
};

// One for every submitted request, admitted or not.
struct EndedEvent {
  RequestId id{};
  MonoTime at{};  // if it ran, when its batch ended; the next batch may have been dispatched since
  OutcomeKind kind{};
  ShedReason shed_reason{};  // of kShed
  SlaClassId sla_class{};
  TenantId tenant{};
  PointId point{};               // of kServed and kFailed
  double expected_accuracy = 0;  // of kServed
  int rows = 0;
  Duration queue_time{};    // of kServed and kFailed
  Duration compute_time{};  // of kServed and kFailed
  Duration total_time{};    // arrival to end
  bool has_deadline = false;
  bool deadline_met = false;
  // During the call; null where it is not known.
  const absl::Status* status = nullptr;  // what its caller gets
  const Payload* payload = nullptr;      // that was submitted
};

// For each answer whose sending was reported (Scheduler::Delivered).
struct DeliveredEvent {
  MonoTime at{};
  Duration took{};  // from the end of its batch until it was sent
};

// After each step of the engine that changed it.
struct QueueEvent {
  MonoTime at{};
  int waiting_requests = 0;
  int waiting_rows = 0;
  int running_batches = 0;
};

// The policy's decision failed its check; the fallback policy's was applied instead.
struct DecisionReplacedEvent {
  MonoTime at{};
  std::string_view policy;
  absl::Status reason;
};

// Called on the loop thread; must not block or call back into the scheduler.
class SchedulerObserver {
 public:
  virtual ~SchedulerObserver() = default;
  virtual void OnAdmitted(const AdmittedEvent& event) {}
  virtual void OnDispatched(const DispatchedEvent& event) {}
  virtual void OnBatchFinished(const BatchFinishedEvent& event) {}
  virtual void OnEnded(const EndedEvent& event) {}
  virtual void OnDelivered(const DeliveredEvent& event) {}
  virtual void OnQueue(const QueueEvent& event) {}
  virtual void OnDecisionReplaced(const DecisionReplacedEvent& event) {}
};

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_OBSERVER_H_
