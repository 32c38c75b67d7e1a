// Whose turn it is to compute on a slot's processors, where several versions of a network have threads for them.
//
// Each version has its own threads and believes that its slots are its own. Two batches at the same time on the same
// processors would take twice as long, and every measured latency would be wrong. With turns, a batch waits for at most
// one of each other version. Turns are taken in the order in which they were asked for.
#ifndef ANYBIT_SERVER_SLOT_TURNS_H_
#define ANYBIT_SERVER_SLOT_TURNS_H_

#include <cstdint>
#include <deque>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace anybit::server {

// Any thread.
class SlotTurns {
 public:
  class Slot;

  explicit SlotTurns(int slots) : slots_(static_cast<size_t>(slots)) {}

  Slot& of(int slot) { return slots_[static_cast<size_t>(slot)]; }

  class Slot {
   public:
    void Take() {
      absl::MutexLock lock(&mutex_);
      const uint64_t ticket = next_++;
      const auto is_due = [this, ticket]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return due_ == ticket; };
      mutex_.Await(absl::Condition(&is_due));
    }
    void GiveBack() {
      absl::MutexLock lock(&mutex_);
      ++due_;
    }

    // How many wait besides the one that has the turn.
    int waiting() {
      absl::MutexLock lock(&mutex_);
      return next_ > due_ ? static_cast<int>(next_ - due_) - 1 : 0;
    }

   private:
    absl::Mutex mutex_;
    uint64_t next_ ABSL_GUARDED_BY(mutex_) = 0;
    uint64_t due_ ABSL_GUARDED_BY(mutex_) = 0;
  };

  // A turn for as long as it lives; `slot` may be null.
  class Turn {
   public:
    explicit Turn(Slot* slot) : slot_(slot) {
      if (slot_ != nullptr) slot_->Take();
    }
    ~Turn() {
      if (slot_ != nullptr) slot_->GiveBack();
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    Slot* const slot_;
  };

 private:
  std::deque<Slot> slots_;
};

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_SLOT_TURNS_H_
