#include "server/request_memory.h"

#include <malloc.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

namespace anybit::server {
namespace {

// Below this a heap that keeps what it has costs nobody anything; the server itself holds as much.
constexpr int64_t kLeastPeak = int64_t{16} << 20;
// gRPC frees its part of a call a moment after we do. Floods that follow each other need no trim in between.
constexpr absl::Duration kTrimDelay = absl::Milliseconds(500);

}  // namespace

RequestMemory::RequestMemory(int64_t limit_bytes, absl::AnyInvocable<void()> trim)
    : limit_bytes_(limit_bytes), trim_(std::move(trim)), trimming_([this] { TrimWhenAsked(); }) {}

RequestMemory::~RequestMemory() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  trimming_.join();
}

void RequestMemory::TrimHeap() { malloc_trim(0); }

void RequestMemory::RaisePeak(int64_t bytes) {
  int64_t peak = peak_bytes_.load(std::memory_order_relaxed);
  while (peak < bytes && !peak_bytes_.compare_exchange_weak(peak, bytes, std::memory_order_relaxed)) {
  }
}

bool RequestMemory::Share::Resize(int64_t bytes) {
  const int64_t more = bytes - bytes_;
  if (more > 0) {
    int64_t held = memory_.held_bytes_.load(std::memory_order_relaxed);
    do {
      if (held > memory_.limit_bytes_ - more) {
        // A flood that is refused fills the heap too, outside of what is counted here.
        memory_.RaisePeak(memory_.limit_bytes_);
        return false;
      }
    } while (!memory_.held_bytes_.compare_exchange_weak(held, held + more, std::memory_order_relaxed));
    memory_.RaisePeak(held + more);
  } else if (more < 0) {
    const int64_t held = memory_.held_bytes_.fetch_add(more, std::memory_order_relaxed) + more;
    int64_t peak = memory_.peak_bytes_.load(std::memory_order_relaxed);
    // Whoever resets the peak asks for the trim; the others see a small peak.
    if (peak >= kLeastPeak && held <= peak / 4 && memory_.peak_bytes_.compare_exchange_strong(peak, held)) {
      absl::MutexLock lock(&memory_.mutex_);
      memory_.trim_wanted_ = true;
    }
  }
  bytes_ = bytes;
  return true;
}

void RequestMemory::TrimWhenAsked() {
  while (true) {
    {
      absl::MutexLock lock(&mutex_);
      const auto has_work = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return trim_wanted_ || stopping_; };
      mutex_.Await(absl::Condition(&has_work));
      if (stopping_ || mutex_.AwaitWithTimeout(absl::Condition(&stopping_), kTrimDelay)) return;
      trim_wanted_ = false;
    }
    trim_();
  }
}

absl::Status LimitReached(const RequestMemory& memory, int64_t bytes) {
  return absl::ResourceExhaustedError(absl::StrCat("requests hold ", memory.held_bytes(), " bytes, and ", bytes,
                                                   " more would exceed the server's limit of ", memory.limit_bytes(),
                                                   " bytes (--max_queue_bytes)"));
}

}  // namespace anybit::server
