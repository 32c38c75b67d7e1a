// Submits requests at their times in virtual time.
#ifndef ANYBIT_SCHEDULER_SIM_WORLD_ARRIVAL_WALK_H_
#define ANYBIT_SCHEDULER_SIM_WORLD_ARRIVAL_WALK_H_

#include <cstddef>
#include <functional>
#include <utility>

#include "base/time.h"
#include "scheduler/loop/event_loop.h"

namespace anybit::scheduler::sim {

// One timer walks through the arrivals, so that the loop's timers stay few. References outlive the walk, and the walk
// the loop's run.
class ArrivalWalk {
 public:
  // `at` gives the ascending times of requests 0 to count - 1; `submit` is called at each.
  ArrivalWalk(EventLoop& loop, size_t count, std::function<MonoTime(size_t)> at, std::function<void(size_t)> submit)
      : loop_(loop), count_(count), at_(std::move(at)), submit_(std::move(submit)) {}

  void Start() { WaitForNext(); }

 private:
  void WaitForNext() {
    if (next_ == count_) return;
    loop_.PostAt(at_(next_), [this] {
      const MonoTime now = at_(next_);
      while (next_ < count_ && at_(next_) == now) submit_(next_++);
      WaitForNext();
    });
  }

  EventLoop& loop_;
  const size_t count_;
  const std::function<MonoTime(size_t)> at_;
  const std::function<void(size_t)> submit_;
  size_t next_ = 0;
};

}  // namespace anybit::scheduler::sim

#endif  // ANYBIT_SCHEDULER_SIM_WORLD_ARRIVAL_WALK_H_
