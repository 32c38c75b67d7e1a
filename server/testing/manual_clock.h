// An event loop that only tells the time, and only the time it was told: for code that asks Now() and posts nothing.
#ifndef ANYBIT_SERVER_TESTING_MANUAL_CLOCK_H_
#define ANYBIT_SERVER_TESTING_MANUAL_CLOCK_H_

#include <atomic>
#include <cstdlib>

#include "scheduler/event_loop.h"

namespace anybit::testing {

class ManualClock : public EventLoop {
 public:
  void Advance(Duration by) { now_ += by.count(); }

  MonoTime Now() const override { return MonoTime(Duration(now_)); }
  void Post(Callback) override { std::abort(); }
  TimerId PostAt(MonoTime, Callback) override { std::abort(); }
  bool Cancel(TimerId) override { std::abort(); }

 private:
  std::atomic<int64_t> now_ = 0;  // the test's thread and those of what it tests
};

}  // namespace anybit::testing

#endif  // ANYBIT_SERVER_TESTING_MANUAL_CLOCK_H_
