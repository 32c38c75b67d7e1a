#include "scheduler/sim/world/shared_processor.h"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

namespace anybit::scheduler::sim {

void SharedProcessor::Add(Worker worker, Duration work, Callback done) {
  Tasks& tasks = tasks_[static_cast<size_t>(worker)];
  const bool first = tasks.empty();
  if (first) Advance();  // speeds change now
  tasks.push_back({.left = 2 * work.count(), .done = std::move(done)});
  if (first) SetTimer();
}

void SharedProcessor::Advance() {
  const MonoTime now = loop_.Now();
  const int64_t speed = BothWork() ? 1 : 2;  // half nanoseconds of work a nanosecond
  const int64_t progress = speed * (now - advanced_to_).count();
  for (Tasks& tasks : tasks_) {
    if (!tasks.empty()) tasks.front().left = std::max<int64_t>(tasks.front().left - progress, 0);
  }
  advanced_to_ = now;
}

void SharedProcessor::SetTimer() {
  if (timer_ != TimerId::kNone) loop_.Cancel(timer_);
  timer_ = TimerId::kNone;
  int64_t least = std::numeric_limits<int64_t>::max();
  for (const Tasks& tasks : tasks_) {
    if (!tasks.empty()) least = std::min(least, tasks.front().left);
  }
  if (least == std::numeric_limits<int64_t>::max()) return;
  const int64_t nanoseconds = BothWork() ? least : least / 2;
  timer_ = loop_.PostAt(advanced_to_ + Duration(nanoseconds), [this] {
    timer_ = TimerId::kNone;
    FinishDue();
  });
}

void SharedProcessor::FinishDue() {
  Advance();
  std::vector<Callback> finished;
  for (const Worker worker : {Worker::kEdge, Worker::kSlot}) {
    Tasks& tasks = tasks_[static_cast<size_t>(worker)];
    for (; !tasks.empty() && tasks.front().left == 0; tasks.pop_front()) {
      finished.push_back(std::move(tasks.front().done));
    }
  }
  SetTimer();
  for (Callback& done : finished) std::move(done)();
}

}  // namespace anybit::scheduler::sim
