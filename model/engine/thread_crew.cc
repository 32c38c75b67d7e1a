#include "model/engine/thread_crew.h"

#include <utility>

namespace anybit::model {

ThreadCrew::ThreadCrew(int helpers, Work work) : work_(std::move(work)) {
  for (int share = 1; share <= helpers; ++share) threads_.emplace_back([this, share] { Help(share); });
}

ThreadCrew::~ThreadCrew() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    ++generation_;
  }
  for (std::thread& thread : threads_) thread.join();
}

void ThreadCrew::Run() {
  if (!threads_.empty()) {
    absl::MutexLock lock(&mutex_);
    pending_ = static_cast<int>(threads_.size());
    ++generation_;
  }
  work_(0);
  if (threads_.empty()) return;
  absl::MutexLock lock(&mutex_, absl::Condition(
                                    +[](int* pending) { return *pending == 0; }, &pending_));
}

void ThreadCrew::Help(int share) {
  struct Wait {
    ThreadCrew* crew;
    int64_t seen;
  } wait{this, 0};
  while (true) {
    {
      absl::MutexLock lock(&mutex_, absl::Condition(
                                        +[](Wait* w) ABSL_EXCLUSIVE_LOCKS_REQUIRED(w->crew->mutex_) {
                                          return w->crew->generation_ != w->seen;
                                        },
                                        &wait));
      wait.seen = generation_;
      if (stopping_) return;
    }
    work_(share);
    absl::MutexLock lock(&mutex_);
    --pending_;
  }
}

}  // namespace anybit::model
