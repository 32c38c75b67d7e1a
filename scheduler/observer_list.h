// Several observers as one: each event is passed on to all, in order.
#ifndef ANYBIT_SCHEDULER_OBSERVER_LIST_H_
#define ANYBIT_SCHEDULER_OBSERVER_LIST_H_

#include <utility>
#include <vector>

#include "scheduler/observer.h"

namespace anybit::scheduler {

class ObserverList final : public SchedulerObserver {
 public:
  // All outlive the list.
  explicit ObserverList(std::vector<SchedulerObserver*> observers) : observers_(std::move(observers)) {}

  void OnAdmitted(const AdmittedEvent& event) override { Tell(&SchedulerObserver::OnAdmitted, event); }
  void OnDispatched(const DispatchedEvent& event) override { Tell(&SchedulerObserver::OnDispatched, event); }
  void OnBatchFinished(const BatchFinishedEvent& event) override { Tell(&SchedulerObserver::OnBatchFinished, event); }
  void OnEnded(const EndedEvent& event) override { Tell(&SchedulerObserver::OnEnded, event); }
  void OnDelivered(const DeliveredEvent& event) override { Tell(&SchedulerObserver::OnDelivered, event); }
  void OnQueue(const QueueEvent& event) override { Tell(&SchedulerObserver::OnQueue, event); }
  void OnDecisionReplaced(const DecisionReplacedEvent& event) override {
    Tell(&SchedulerObserver::OnDecisionReplaced, event);
  }

 private:
  template <typename Event>
  void Tell(void (SchedulerObserver::*handler)(const Event&), const Event& event) {
    for (SchedulerObserver* observer : observers_) (observer->*handler)(event);
  }

  const std::vector<SchedulerObserver*> observers_;
};

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_OBSERVER_LIST_H_
