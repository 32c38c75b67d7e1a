// The processor time of the thread that asks, as a clock: what others compute on the same processor meanwhile does not
// count. For measurements of work that one thread does, beside others that go first.
#ifndef ANYBIT_SERVER_THREAD_CLOCK_H_
#define ANYBIT_SERVER_THREAD_CLOCK_H_

#include <time.h>

#include <chrono>

#include "base/time.h"
#include "scheduler/loop/event_loop.h"

namespace anybit::server {

// Only Now may be called, and times of different threads have nothing in common.
class ThreadClock final : public scheduler::EventLoop {
 public:
  MonoTime Now() const override {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return MonoTime(std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec));
  }
  void Post(Callback) override {}
  scheduler::TimerId PostAt(MonoTime, Callback) override { return scheduler::TimerId::kNone; }
  bool Cancel(scheduler::TimerId) override { return false; }
};

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_THREAD_CLOCK_H_
