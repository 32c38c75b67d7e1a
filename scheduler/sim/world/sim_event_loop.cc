#include "scheduler/sim/world/sim_event_loop.h"

#include <algorithm>
#include <utility>

namespace anybit::scheduler::sim {

bool SimEventLoop::RunInstant() {
  bool ran = RunPosted();
  if (timers_.empty() || timers_.next() == kNever) return ran;
  if (!ran) AdvanceTo(timers_.next());
  while (!timers_.empty() && timers_.next() <= Now()) {
    Callback callback = timers_.TakeFirst();
    std::move(callback)();
    RunPosted();
    ran = true;
  }
  return ran;
}

void SimEventLoop::Run() {
  while (RunInstant()) {
  }
}

void SimEventLoop::RunUntil(MonoTime when) {
  RunPosted();
  while (!timers_.empty() && timers_.next() <= when) RunInstant();
  AdvanceTo(when);
}

MonoTime SimEventLoop::Now() const {
  absl::MutexLock lock(&mutex_);
  return now_;
}

void SimEventLoop::Post(Callback callback) {
  absl::MutexLock lock(&mutex_);
  posted_.push_back(std::move(callback));
}

TimerId SimEventLoop::PostAt(MonoTime when, Callback callback) {
  return timers_.Add(std::max(when, Now()), std::move(callback));  // the past counts as the present
}

bool SimEventLoop::Cancel(TimerId timer) { return timers_.Cancel(timer); }

bool SimEventLoop::RunPosted() {
  bool ran = false;
  while (true) {
    Callback callback;
    {
      absl::MutexLock lock(&mutex_);
      if (posted_.empty()) return ran;
      callback = std::move(posted_.front());
      posted_.pop_front();
    }
    std::move(callback)();
    ran = true;
  }
}

void SimEventLoop::AdvanceTo(MonoTime when) {
  absl::MutexLock lock(&mutex_);
  now_ = std::max(now_, when);
}

}  // namespace anybit::scheduler::sim
