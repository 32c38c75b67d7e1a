// The scheduler's source of time and of turns: one callback at a time, on one thread, in a stated order.
//
// Two implementations: AsioEventLoop (real time) and sim::SimEventLoop (virtual time). The engine cannot tell which.
#ifndef ANYBIT_SCHEDULER_LOOP_EVENT_LOOP_H_
#define ANYBIT_SCHEDULER_LOOP_EVENT_LOOP_H_

#include <cstdint>
#include <memory>

#include "absl/functional/any_invocable.h"
#include "base/time.h"

namespace anybit::scheduler {

enum class TimerId : uint64_t { kNone = 0 };

// While it lives, what its thread posts to its loop, and to others of the same kind, is kept.
class PostHold {
 public:
  virtual ~PostHold() = default;  // flushes

  // Posts what is kept, in its order for each loop and together: a loop's thread wakes up once for all of it.
  virtual void Flush() = 0;
};

class EventLoop {
 public:
  using Callback = absl::AnyInvocable<void()>;

  virtual ~EventLoop() = default;

  // The present instant; never goes back. Any thread.
  virtual MonoTime Now() const = 0;

  // Runs `callback` on the loop thread after everything posted before it. Any thread; never blocks.
  virtual void Post(Callback callback) = 0;

  // Runs `callback` on the loop thread at `when` or later, never earlier; equal instants run in posting order.
  // An instant already past counts as the present one and runs as soon as the loop turns. Loop thread only.
  virtual TimerId PostAt(MonoTime when, Callback callback) = 0;

  // Keeps the posts of this thread, which ends it, to all loops of this kind; null: this kind keeps none. One at a time
  // for each thread.
  virtual std::unique_ptr<PostHold> HoldPosts() { return nullptr; }

  // True if the timer was still pending and now will never run. Loop thread only.
  virtual bool Cancel(TimerId timer) = 0;
};

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_LOOP_EVENT_LOOP_H_
