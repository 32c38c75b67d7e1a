// Threads that share the work of one caller: each computes its share, then waits for the next call.
//
// Who waits looks for some microseconds before it sleeps: batches come one right after the other where speed counts,
// and to wake a thread takes as long as a part of a small batch. Helpers keep off the caller's processor. Some virtual
// machines do not show that a halted processor is free; then the system starts a helper where its caller runs, and
// leaves it there for many batches.
//
//   ThreadCrew crew(/*helpers=*/3, [&](int share) { Compute(share); });
//   crew.Run();  // Compute(0) here, Compute(1..3) on the helpers; returns when all have ended
#ifndef ANYBIT_MODEL_ENGINE_THREAD_CREW_H_
#define ANYBIT_MODEL_ENGINE_THREAD_CREW_H_

#include <sched.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

#include "absl/synchronization/mutex.h"

namespace anybit::model {

class ThreadCrew {
 public:
  using Work = std::function<void(int share)>;

  // The helpers, 0 or more, run on the processors that the calling thread may run on now. `work` runs for all shares at
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
  struct WaitOf {
    ThreadCrew* crew;
    int64_t seen;  // generation
  };

  void Help(int share);
  // Lets helpers run anywhere but on the processor that the caller is on now.
  void KeepOffTheCallersProcessor();

  const Work work_;
  const cpu_set_t allowed_;  // processors of the thread that made this

  int avoided_ = -1;  // processor; the caller's only

  // Returns when done(this): looks for a while, then sleeps.
  void WaitFor(bool (*done)(WaitOf*), WaitOf* wait);

  // Changed with the mutex held, so that no sleeper misses it; looked at without.
  absl::Mutex mutex_;
  std::atomic<int64_t> generation_ = 0;  // of Run calls: by the caller, for the helpers
  std::atomic<int> pending_ = 0;         // helpers that have not ended their share: by them, for the caller
  std::atomic<bool> stopping_ = false;   // by the destructor, for the helpers

  std::vector<std::thread> threads_;
};

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_ENGINE_THREAD_CREW_H_
