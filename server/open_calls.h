// Counts the calls that are open, and tells when none is.
#ifndef ANYBIT_SERVER_OPEN_CALLS_H_
#define ANYBIT_SERVER_OPEN_CALLS_H_

#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"

namespace anybit::server {

// Any thread.
class OpenCalls {
 public:
  void Begin() {
    absl::MutexLock lock(&mutex_);
    ++open_;
  }

  void End() {
    absl::AnyInvocable<void()> idle;
    {
      absl::MutexLock lock(&mutex_);
      if (--open_ == 0) idle = std::move(idle_);
    }
    if (idle) idle();
  }

  // Calls `idle` once no call is open, on some thread; at once if none is. For when no more can come; at most once.
  void WhenIdle(absl::AnyInvocable<void()> idle) {
    {
      absl::MutexLock lock(&mutex_);
      if (open_ > 0) {
        idle_ = std::move(idle);
        return;
      }
    }
    idle();
  }

 private:
  absl::Mutex mutex_;
  int open_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::AnyInvocable<void()> idle_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_OPEN_CALLS_H_
