// The event loop of production: one thread in Boost.Asio's io_context, real monotonic time.
//
// Timers are kept in a TimerQueue of our own, with one Asio timer for the earliest: Asio promises no order among equal
// instants, EventLoop does.
#ifndef ANYBIT_SCHEDULER_LOOP_ASIO_EVENT_LOOP_H_
#define ANYBIT_SCHEDULER_LOOP_ASIO_EVENT_LOOP_H_

#include <memory>

#include "scheduler/loop/event_loop.h"
#include "scheduler/loop/timer_queue.h"

namespace anybit::scheduler {

class AsioEventLoop final : public EventLoop {
 public:
  AsioEventLoop();
  ~AsioEventLoop() override;

  // Makes the calling thread the loop thread until Stop. Once in a loop's life.
  void Run();

  // Run returns after the present callback, or at once if it comes later. Callbacks still posted never run and are
  // destroyed with the loop. Any thread.
  void Stop();

  MonoTime Now() const override;
  void Post(Callback callback) override;
  TimerId PostAt(MonoTime when, Callback callback) override;
  std::unique_ptr<PostHold> HoldPosts() override;
  bool Cancel(TimerId timer) override;

 private:
  class Hold;
  struct Context;  // keeps Asio out of this header

  static void PostNow(Context& context, Callback callback);
  void SetTimer();
  void RunDueTimers();

  const std::shared_ptr<Context> context_;  // a hold's, too: the loop may end before what is posted is flushed

  // Loop thread only.
  TimerQueue timers_;
  MonoTime timer_at_ = kNever;  // what the Asio timer is set to
};

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_LOOP_ASIO_EVENT_LOOP_H_
