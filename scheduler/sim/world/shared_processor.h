// One processor in virtual time that a slot's computing and the edge's work share.
//
// Each of the two has a queue of tasks that it works off in order. While both have work, each progresses at half speed,
// as under a fair operating system; while one has none, the other has the whole processor. Nothing idles beside work.
// Instants are exact: both work at once for an even number of nanoseconds each time, since tasks are whole ones.
#ifndef ANYBIT_SCHEDULER_SIM_WORLD_SHARED_PROCESSOR_H_
#define ANYBIT_SCHEDULER_SIM_WORLD_SHARED_PROCESSOR_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>

#include "base/time.h"
#include "scheduler/loop/event_loop.h"

namespace anybit::scheduler::sim {

enum class Worker : uint8_t { kSlot, kEdge };

// Loop thread only.
class SharedProcessor {
 public:
  using Callback = EventLoop::Callback;

  // `loop` must outlive the processor, and is not run after the processor's end.
  explicit SharedProcessor(EventLoop& loop) : loop_(loop) {}

  // Appends a task that takes `work` >= 0 of a whole processor. `done` runs when it is finished, never within Add. Of
  // two tasks that finish at the same instant, the edge's is told first.
  void Add(Worker worker, Duration work, Callback done);

  // Tasks that are not finished.
  size_t tasks(Worker worker) const { return tasks_[static_cast<size_t>(worker)].size(); }

 private:
  struct Task {
    int64_t left = 0;  // in half nanoseconds of a whole processor
    Callback done;
  };
  using Tasks = std::deque<Task>;  // the first is under way

  bool BothWork() const { return !tasks_[0].empty() && !tasks_[1].empty(); }
  void Advance();
  void SetTimer();
  void FinishDue();

  EventLoop& loop_;
  std::array<Tasks, 2> tasks_;  // by Worker
  MonoTime advanced_to_{};      // what is left is as of this instant
  TimerId timer_ = TimerId::kNone;
};

}  // namespace anybit::scheduler::sim

#endif  // ANYBIT_SCHEDULER_SIM_WORLD_SHARED_PROCESSOR_H_
