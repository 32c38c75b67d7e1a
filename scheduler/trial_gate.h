// When a request that predictions refuse is tried all the same: a circuit breaker that is half-open by default.
//
// While a slot is idle and nothing waits, a refusal costs a request and a trial costs time that nobody else wants. So
// the gate stands open, and one request a slot goes through at a time. A trial that is late closes it for the next
// kRefusedAfterFailure hopeful requests, or until `interval` has passed. A hopeful request needs no more time than the
// best that can be expected (LatencyModel::FastestHoped); any other goes through only when nothing has run for an
// interval, so that no belief, not even this one, can close a server for good.
#ifndef ANYBIT_SCHEDULER_TRIAL_GATE_H_
#define ANYBIT_SCHEDULER_TRIAL_GATE_H_

#include "scheduler/time.h"

namespace anybit {

class TrialGate {
 public:
  // At 100 requests a second one more lost request is 10 ms less of useless work; at two, two of three refused ones
  // cost nothing while a machine is really slow.
  static constexpr int kRefusedAfterFailure = 1;

  explicit TrialGate(Duration interval) : interval_(interval) {}

  // Whether a request may be tried on an idle slot. Instants never go back.
  bool IsOpen(MonoTime now, bool hopeful) const {
    if (SaturatingAdd(ran_at_, interval_) <= now) return true;
    return hopeful && (!failed_ || refused_ >= kRefusedAfterFailure);
  }

  // A hopeful request was refused by prediction.
  void CountRefusal() { ++refused_; }

  void Start() { ++running_; }
  void End(MonoTime now, bool in_time) {
    --running_;
    failed_ = !in_time;
    refused_ = 0;
    ran_at_ = now;
  }

  // A batch that was no trial has ended.
  void Ran(MonoTime now) { ran_at_ = now; }

  // Trials under way: what they show is worth waiting for.
  int running() const { return running_; }

 private:
  const Duration interval_;
  int running_ = 0;
  bool failed_ = false;   // the last one
  int refused_ = 0;       // hopeful ones since
  MonoTime ran_at_{};     // the last batch of any kind
};

}  // namespace anybit

#endif  // ANYBIT_SCHEDULER_TRIAL_GATE_H_
