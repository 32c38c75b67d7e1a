// Writes to the event log what the scheduler and the edge refuse, and what fails.
#ifndef ANYBIT_SERVER_LOG_OBSERVER_H_
#define ANYBIT_SERVER_LOG_OBSERVER_H_

#include "absl/status/status.h"
#include "scheduler/observer.h"
#include "server/edge_observer.h"
#include "server/event_log.h"
#include "server/served_model.h"

namespace anybit::server {

// Requests that the scheduler refuses, expires or fails, with the reason that their clients get.
class LogObserver final : public scheduler::SchedulerObserver {
 public:
  // Both outlive it.
  LogObserver(const ServedModel& model, EventLog& log) : model_(model), log_(log) {}

  void OnEnded(const scheduler::EndedEvent& event) override;
  void OnDecisionReplaced(const scheduler::DecisionReplacedEvent& event) override;

 private:
  const ServedModel& model_;
  EventLog& log_;
};

// Logs the events of the edge, and hands them on.
class EdgeLog final : public EdgeObserver {
 public:
  // `next` outlives it, and so does `log`, which may be null.
  EdgeLog(EdgeObserver& next, EventLog* log) : next_(next), log_(log) {}

  void OnInvalid(const absl::Status& reason) override;
  void OnUnavailable() override;
  void OnShed(scheduler::ShedReason reason) override;
  void OnExpired() override;
  void OnRefusedCall(RefusedCallReason reason) override;

 private:
  // The reason is `reason` followed by `detail`.
  void Refused(absl::string_view outcome, absl::string_view reason, absl::string_view detail = "");

  EdgeObserver& next_;
  EventLog* const log_;
};

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_LOG_OBSERVER_H_
