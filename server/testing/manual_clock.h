// An event loop that only tells the time, and only the time it was told: for code that asks Now() and posts nothing.
#ifndef ANYBIT_SERVER_TESTING_MANUAL_CLOCK_H_
#define ANYBIT_SERVER_TESTING_MANUAL_CLOCK_H_

#include <atomic>
#include <cstdlib>

#include "scheduler/loop/event_loop.h"

namespace anybit::server::testing {

class ManualClock : public scheduler::EventLoop {
 public:
  void Advance(Duration by) { now_ += by.count(); }

  MonoTime Now() const override { return MonoTime(Duration(now_)); }
  void Post(Callback) override { std::abort(); }
  scheduler::TimerId PostAt(MonoTime, Callback) override { std::abort(); }
  bool Cancel(scheduler::TimerId) override { std::abort(); }

 private:
  std::atomic<int64_t> now_ = 0;  // the test's thread and those of what it tests
};

}  // namespace anybit::server::testing

#endif  // ANYBIT_SERVER_TESTING_MANUAL_CLOCK_H_
