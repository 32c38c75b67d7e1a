// Threads that share the work of one caller: each computes its share, then waits for the next call.
//
//   ThreadCrew crew(/*helpers=*/3, [&](int share) { Compute(share); });
//   crew.Run();  // Compute(0) here, Compute(1..3) on the helpers; returns when all have ended
#ifndef ANYBIT_MODEL_ENGINE_THREAD_CREW_H_
#define ANYBIT_MODEL_ENGINE_THREAD_CREW_H_

#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace anybit::model {

class ThreadCrew {
 public:
  using Work = std::function<void(int share)>;

  // The helpers, 0 or more, inherit the processors that the calling thread may run on. `work` runs for all shares at
  // once and must not throw.
  ThreadCrew(int helpers, Work work);

  // Joins the helpers.
  ~ThreadCrew();

  ThreadCrew(const ThreadCrew&) = delete;
  ThreadCrew& operator=(const ThreadCrew&) = delete;

  // Runs share 0 on the calling thread and the others on the helpers; returns when all have ended. Allocates nothing.
  // One thread at a time may call it.
  void Run();

 private:
  void Help(int share);

  const Work work_;

  absl::Mutex mutex_;
  int64_t generation_ ABSL_GUARDED_BY(mutex_) = 0;  // of Run calls
  int pending_ ABSL_GUARDED_BY(mutex_) = 0;         // helpers that have not ended their share
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;

  std::vector<std::thread> threads_;
};

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_ENGINE_THREAD_CREW_H_
