// Everything the scheduler did, as records to look at and as one hash to compare runs by.
#ifndef ANYBIT_SCHEDULER_SIM_WORLD_TRACE_RECORDER_H_
#define ANYBIT_SCHEDULER_SIM_WORLD_TRACE_RECORDER_H_

#include <cstdint>
#include <initializer_list>
#include <vector>

#include "base/hash.h"
#include "scheduler/observer.h"

namespace anybit::scheduler::sim {

class TraceRecorder final : public SchedulerObserver {
 public:
  void OnAdmitted(const AdmittedEvent& event) override;
  void OnDispatched(const DispatchedEvent& event) override;
  void OnBatchFinished(const BatchFinishedEvent& event) override;
  void OnEnded(const EndedEvent& event) override;
  void OnQueue(const QueueEvent& event) override;
  void OnDecisionReplaced(const DecisionReplacedEvent& event) override;

  const std::vector<AdmittedEvent>& admitted() const { return admitted_; }
  const std::vector<DispatchedEvent>& dispatched() const { return dispatched_; }
  const std::vector<BatchFinishedEvent>& finished() const { return finished_; }
  const std::vector<EndedEvent>& ended() const { return ended_; }
  const std::vector<QueueEvent>& queue() const { return queue_; }
  int replaced_decisions() const { return replaced_decisions_; }

  // FNV-1a, 64 bits, over every field of every event in the order they came.
  uint64_t hash() const { return hash_; }

 private:
  void Mix(std::initializer_list<int64_t> values);

  std::vector<AdmittedEvent> admitted_;
  std::vector<DispatchedEvent> dispatched_;
  std::vector<BatchFinishedEvent> finished_;
  std::vector<EndedEvent> ended_;
  std::vector<QueueEvent> queue_;
  int replaced_decisions_ = 0;
  uint64_t hash_ = kFnv1aOfNothing;
};

}  // namespace anybit::scheduler::sim

#endif  // ANYBIT_SCHEDULER_SIM_WORLD_TRACE_RECORDER_H_
