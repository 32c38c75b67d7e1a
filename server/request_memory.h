// Counts the bytes that requests hold, from the first byte that is read until the answer is sent, and refuses what
// would exceed the limit.
//
//   RequestMemory memory(int64_t{1} << 30);
//   RequestMemory::Share share(memory);
//   if (!share.Resize(message_bytes)) return TooMuch(memory, message_bytes);   // gives back what it holds at its end
//
// It also gives memory back to the system: an allocator keeps what a flood has freed, and a container pays for it.
#ifndef ANYBIT_SERVER_REQUEST_MEMORY_H_
#define ANYBIT_SERVER_REQUEST_MEMORY_H_

#include <atomic>
#include <cstdint>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"

namespace anybit::server {

// Any thread.
class RequestMemory {
 public:
  // The bytes that one request holds. Thread-compatible; must not outlive its RequestMemory.
  class Share {
   public:
    explicit Share(RequestMemory& memory) : memory_(memory) {}
    ~Share() { (void)Resize(0); }
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

    // Holds `bytes` from now on. To less than before always succeeds; false, and nothing changes, if the sum of all
    // shares would exceed the limit.
    bool Resize(int64_t bytes);
    int64_t bytes() const { return bytes_; }

   private:
    RequestMemory& memory_;
    int64_t bytes_ = 0;
  };

  // `trim` gives freed memory back to the system: it runs on a thread of this class, kTrimDelay after what is held fell
  // to a quarter of a peak of at least kLeastPeak. A refusal counts as a peak.
  explicit RequestMemory(int64_t limit_bytes, absl::AnyInvocable<void()> trim = TrimHeap);
  ~RequestMemory();

  int64_t limit_bytes() const { return limit_bytes_; }
  int64_t held_bytes() const { return held_bytes_; }

  // malloc_trim.
  static void TrimHeap();

 private:
  void RaisePeak(int64_t bytes);
  void TrimWhenAsked();

  const int64_t limit_bytes_;
  absl::AnyInvocable<void()> trim_;  // trimming_ only

  // Every thread that holds a share, and trimming_.
  std::atomic<int64_t> held_bytes_ = 0;
  std::atomic<int64_t> peak_bytes_ = 0;  // since the last trim
  absl::Mutex mutex_;
  bool trim_wanted_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;

  std::thread trimming_;
};

// ResourceExhausted: `memory` has no room for `bytes` more.
absl::Status LimitReached(const RequestMemory& memory, int64_t bytes);

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_REQUEST_MEMORY_H_
