#include "model/engine/thread_crew.h"

#include <pthread.h>

#include <utility>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace anybit::model {
namespace {

// Looks of a waiting thread before it sleeps: 20 to 50 us on x86-64 processors, whose pause takes 40 to 140 cycles.
constexpr int kLooks = 1000;

void Pause() {
#if defined(__x86_64__)
  _mm_pause();
#endif
}

cpu_set_t AllowedProcessors() {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) CPU_ZERO(&allowed);  // more than the type can name
  return allowed;
}

}  // namespace

ThreadCrew::ThreadCrew(int helpers, Work work) : work_(std::move(work)), allowed_(AllowedProcessors()) {
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

void ThreadCrew::WaitFor(bool (*done)(WaitOf*), WaitOf* wait) {
  for (int look = 0; look < kLooks; ++look) {
    if (done(wait)) return;
    Pause();
  }
  absl::MutexLock lock(&mutex_, absl::Condition(done, wait));
}

void ThreadCrew::Run() {
  if (threads_.empty()) {
    work_(0);
    return;
  }
  KeepOffTheCallersProcessor();
  {
    absl::MutexLock lock(&mutex_);
    pending_ = static_cast<int>(threads_.size());
    ++generation_;
  }
  work_(0);
  WaitOf wait{this, 0};
  WaitFor([](WaitOf* w) { return w->crew->pending_ == 0; }, &wait);
}

void ThreadCrew::KeepOffTheCallersProcessor() {
  const int here = sched_getcpu();
  if (here == avoided_ || here < 0) return;
  avoided_ = here;
  cpu_set_t others = allowed_;
  CPU_CLR(here, &others);
  if (CPU_COUNT(&others) == 0) return;
  // Where this fails, helpers stay where the system puts them.
  for (std::thread& thread : threads_) pthread_setaffinity_np(thread.native_handle(), sizeof(others), &others);
}

void ThreadCrew::Help(int share) {
  WaitOf wait{this, 0};
  while (true) {
    WaitFor([](WaitOf* w) { return w->crew->generation_ != w->seen; }, &wait);
    wait.seen = generation_;
    if (stopping_) return;
    work_(share);
    absl::MutexLock lock(&mutex_);
    --pending_;
  }
}

}  // namespace anybit::model
