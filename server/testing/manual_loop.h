// An event loop whose time and turns are the test's: for code that posts, on one thread.
#ifndef ANYBIT_SERVER_TESTING_MANUAL_LOOP_H_
#define ANYBIT_SERVER_TESTING_MANUAL_LOOP_H_

#include <algorithm>
#include <cstdint>
#include <map>
#include <utility>

#include "scheduler/loop/event_loop.h"

namespace anybit::server::testing {

class ManualLoop : public scheduler::EventLoop {
 public:
  MonoTime Now() const override { return now_; }
  void Post(Callback callback) override { (void)PostAt(now_, std::move(callback)); }
  scheduler::TimerId PostAt(MonoTime when, Callback callback) override {
    const auto id = static_cast<scheduler::TimerId>(++last_id_);
    due_.emplace(std::pair(std::max(when, now_), id), std::move(callback));
    return id;
  }
  bool Cancel(scheduler::TimerId timer) override {
    return std::erase_if(due_, [timer](const auto& due) { return due.first.second == timer; }) > 0;
  }

  // Runs all that is due within `time`, each at its instant; then that time has passed.
  void Advance(Duration time) {
    const MonoTime end = now_ + time;
    while (!due_.empty() && due_.begin()->first.first <= end) {
      auto next = due_.extract(due_.begin());
      now_ = next.key().first;
      next.mapped()();
    }
    now_ = end;
  }
  // Runs all that is due now.
  void Turn() { Advance(Duration::zero()); }

 private:
  MonoTime now_{};
  uint64_t last_id_ = 0;
  std::map<std::pair<MonoTime, scheduler::TimerId>, Callback> due_;
};

}  // namespace anybit::server::testing

#endif  // ANYBIT_SERVER_TESTING_MANUAL_LOOP_H_
