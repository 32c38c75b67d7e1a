#include "scheduler/sim/world/trace_recorder.h"

#include <bit>
#include <cstdint>

namespace anybit::scheduler::sim {
namespace {

int64_t Nanos(MonoTime time) { return time.time_since_epoch().count(); }
int64_t Bits(double value) { return std::bit_cast<int64_t>(value); }

}  // namespace

void TraceRecorder::OnAdmitted(const AdmittedEvent& event) {
  admitted_.push_back(event);
  Mix({'A', static_cast<int64_t>(event.id), Nanos(event.at), Nanos(event.deadline),
       static_cast<int64_t>(event.sla_class), event.rows});
}

void TraceRecorder::OnDispatched(const DispatchedEvent& event) {
  dispatched_.push_back(event);
  Mix({'D', Nanos(event.at), event.slot, ToIndex(event.point), Bits(event.point_accuracy), event.requests, event.rows,
       event.predicted.count(), event.earliest_slack.count()});
}

void TraceRecorder::OnBatchFinished(const BatchFinishedEvent& event) {
  finished_.push_back(event);
  Mix({'F', Nanos(event.at), event.slot, ToIndex(event.point), event.rows, event.predicted.count(),
       event.actual.count(), event.ok});
}

void TraceRecorder::OnEnded(const EndedEvent& event) {
  ended_.push_back(event);
  Mix({'E', static_cast<int64_t>(event.id), Nanos(event.at), static_cast<int64_t>(event.kind),
       static_cast<int64_t>(event.sla_class), ToIndex(event.point), Bits(event.expected_accuracy), event.rows,
       event.queue_time.count(), event.compute_time.count(), event.total_time.count(), event.has_deadline,
       event.deadline_met});
}

void TraceRecorder::OnQueue(const QueueEvent& event) {
  queue_.push_back(event);
  Mix({'Q', Nanos(event.at), event.waiting_requests, event.waiting_rows, event.running_batches});
}

void TraceRecorder::OnDecisionReplaced(const DecisionReplacedEvent& event) {
  ++replaced_decisions_;
  Mix({'R', Nanos(event.at)});
}

void TraceRecorder::Mix(std::initializer_list<int64_t> values) {
  for (const int64_t value : values) hash_ = Fnv1aOfWord(static_cast<uint64_t>(value), hash_);
}

}  // namespace anybit::scheduler::sim
