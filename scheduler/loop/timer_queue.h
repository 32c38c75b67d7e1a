// Timers of an event loop, by (instant, order of posting). Not a loop: it has no time and runs nothing by itself.
#ifndef ANYBIT_SCHEDULER_LOOP_TIMER_QUEUE_H_
#define ANYBIT_SCHEDULER_LOOP_TIMER_QUEUE_H_

#include <cstdint>
#include <map>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "base/time.h"
#include "scheduler/loop/event_loop.h"

namespace anybit::scheduler {

class TimerQueue {
 public:
  TimerId Add(MonoTime when, EventLoop::Callback callback);

  // True if the timer was still here and now is not.
  bool Cancel(TimerId timer);

  bool empty() const { return timers_.empty(); }
  // Of the first timer; kNever if there is none.
  MonoTime next() const { return timers_.empty() ? kNever : timers_.begin()->first.first; }

  // Takes the first timer's callback out; not empty.
  EventLoop::Callback TakeFirst();

 private:
  using Key = std::pair<MonoTime, uint64_t>;

  uint64_t last_id_ = 0;
  std::map<Key, EventLoop::Callback> timers_;
  absl::flat_hash_map<uint64_t, MonoTime> when_;  // of each id in timers_
};

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_LOOP_TIMER_QUEUE_H_
