// When a request that predictions refuse is tried all the same: a circuit breaker that is half-open by default.
//
// While a slot is idle and nothing waits, a refusal costs a request and a trial costs time that is not needed. So
// the gate stands open, and one request a slot goes through at a time. A trial that is late closes it for the next
// kRefusedAfterFailure hopeful requests, or until `interval` has passed. A hopeful request needs no more time than the
// best that can be expected (LatencyTable::FastestHoped). Of all other requests, one is tried in each interval:
// the profile of a point or size may be wrong while other batches run every second. So no prediction refuses for good.
#ifndef ANYBIT_SCHEDULER_ADMISSION_TRIAL_GATE_H_
#define ANYBIT_SCHEDULER_ADMISSION_TRIAL_GATE_H_

#include <algorithm>

#include "base/time.h"

namespace anybit::scheduler {

class TrialGate {
 public:
  // While a machine stays slow, every second hopeful request is tried in vain. When it is fast again, at most this many
  // requests are lost before the next trial.
  static constexpr int kRefusedAfterFailure = 1;

  explicit TrialGate(Duration interval) : interval_(interval) {}

  // Whether a request may be tried on an idle slot. Instants never go back.
  bool IsOpen(MonoTime now, bool hopeful) const {
    const MonoTime last = hopeful ? ended_at_ : hopeless_at_;
    if (SaturatingAdd(last, interval_) <= now) return true;
    return hopeful && (!failed_ || refused_ >= kRefusedAfterFailure);
  }

  // A hopeful request was refused by prediction.
  void CountRefusal() { refused_ = std::min(refused_ + 1, kRefusedAfterFailure); }

  void Start(MonoTime now, bool hopeful) {
    ++running_;
    started_at_ = now;
    if (!hopeful) hopeless_at_ = now;
  }
  void End(MonoTime now, bool in_time) {
    --running_;
    failed_ = !in_time;
    refused_ = 0;
    ended_at_ = now;
  }

  // Whether a trial is under way whose end is worth waiting for. One that has taken an interval may never end.
  bool IsUnderWay(MonoTime now) const { return running_ > 0 && now < SaturatingAdd(started_at_, interval_); }

 private:
  const Duration interval_;
  int running_ = 0;         // trials
  bool failed_ = false;     // the trial that ended last
  int refused_ = 0;         // hopeful requests since its end, up to kRefusedAfterFailure
  MonoTime ended_at_{};     // its end
  MonoTime started_at_{};   // start of the last trial
  MonoTime hopeless_at_{};  // start of the last trial that was not hopeful
};

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_ADMISSION_TRIAL_GATE_H_
