// When each slot is free, in ns from now.
#ifndef ANYBIT_SCHEDULER_POLICIES_ANYBIT_SLOT_TIMES_H_
#define ANYBIT_SCHEDULER_POLICIES_ANYBIT_SLOT_TIMES_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>

#include "base/time.h"
#include "scheduler/decision.h"
#include "scheduler/policies/anybit/anybit_options.h"

namespace anybit::scheduler {

class SlotTimes {
 public:
  // Of the slots of a view; those beyond kMaxPlannedSlots are left out.
  SlotTimes(std::span<const SlotView> slots, MonoTime now)
      : count_(std::min(slots.size(), static_cast<size_t>(AnybitOptions::kMaxPlannedSlots))) {
    for (size_t s = 0; s < count_; ++s) {
      const auto left = static_cast<double>(Until(now, slots[s].free_at).count());
      free_[s] = slots[s].idle ? 0 : std::max(0.0, left);
    }
  }

  // Copies no more than there are.
  SlotTimes(const SlotTimes& other) : count_(other.count_) { std::copy_n(other.begin(), count_, free_.begin()); }
  SlotTimes& operator=(const SlotTimes&) = delete;

  int count() const { return static_cast<int>(count_); }
  double& operator[](size_t slot) { return free_[slot]; }
  double operator[](size_t slot) const { return free_[slot]; }

  // The slot that is free first.
  size_t First() const {
    size_t first = 0;
    for (size_t s = 1; s < count_; ++s) first = free_[s] < free_[first] ? s : first;
    return first;
  }
  double Soonest() const { return *std::min_element(begin(), end()); }
  double Latest() const { return *std::max_element(begin(), end()); }

  // Slot time until `until`.
  double Room(double until) const {
    double room = 0;
    for (size_t s = 0; s < count_; ++s) room += std::max(0.0, until - free_[s]);
    return room;
  }

 private:
  const double* begin() const { return free_.data(); }
  const double* end() const { return free_.data() + count_; }

  size_t count_;
  std::array<double, AnybitOptions::kMaxPlannedSlots> free_;  // the first count_ of them
};

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_POLICIES_ANYBIT_SLOT_TIMES_H_
