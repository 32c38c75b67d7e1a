#include "scheduler/loop/timer_queue.h"

namespace anybit::scheduler {

TimerId TimerQueue::Add(MonoTime when, EventLoop::Callback callback) {
  const uint64_t id = ++last_id_;
  timers_.emplace(Key(when, id), std::move(callback));
  when_.emplace(id, when);
  return static_cast<TimerId>(id);
}

bool TimerQueue::Cancel(TimerId timer) {
  const auto id = static_cast<uint64_t>(timer);
  const auto found = when_.find(id);
  if (found == when_.end()) return false;
  timers_.erase(Key(found->second, id));
  when_.erase(found);
  return true;
}

EventLoop::Callback TimerQueue::TakeFirst() {
  const auto first = timers_.begin();
  EventLoop::Callback callback = std::move(first->second);
  when_.erase(first->first.second);
  timers_.erase(first);
  return callback;
}

}  // namespace anybit::scheduler
