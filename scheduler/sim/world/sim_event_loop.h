// An event loop in virtual time: nothing waits, instants follow one another as fast as they can be run.
//
// At each instant what was posted runs first, in posting order, then the timers due, each followed by what it posted.
// The order depends on nothing else, so equal inputs give equal runs.
#ifndef ANYBIT_SCHEDULER_SIM_WORLD_SIM_EVENT_LOOP_H_
#define ANYBIT_SCHEDULER_SIM_WORLD_SIM_EVENT_LOOP_H_

#include <deque>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "scheduler/loop/event_loop.h"
#include "scheduler/loop/timer_queue.h"

namespace anybit::scheduler::sim {

// The thread that calls a Run function is the loop thread meanwhile; between two of them, any one thread is.
class SimEventLoop final : public EventLoop {
 public:
  explicit SimEventLoop(MonoTime start = MonoTime()) : now_(start) {}

  // Runs everything of the next instant at which there is something; false if there is none.
  bool RunInstant();

  // Runs until nothing is left.
  void Run();

  // Runs everything up to and including `when`; then that is the present.
  void RunUntil(MonoTime when);

  MonoTime Now() const override;
  void Post(Callback callback) override;
  TimerId PostAt(MonoTime when, Callback callback) override;
  bool Cancel(TimerId timer) override;

 private:
  bool RunPosted();
  void AdvanceTo(MonoTime when);

  // Loop thread only.
  TimerQueue timers_;

  // Any thread.
  mutable absl::Mutex mutex_;
  MonoTime now_ ABSL_GUARDED_BY(mutex_);
  std::deque<Callback> posted_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace anybit::scheduler::sim

#endif  // ANYBIT_SCHEDULER_SIM_WORLD_SIM_EVENT_LOOP_H_
