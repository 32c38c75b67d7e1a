// Items that may each wait for the same time, in the order in which they began.
//
// Adding, removing and asking for the first take constant time. The caller brings the time.
#ifndef ANYBIT_SERVER_TIMEOUT_QUEUE_H_
#define ANYBIT_SERVER_TIMEOUT_QUEUE_H_

#include <list>
#include <optional>

#include "base/time.h"

namespace anybit::server {

// Thread-compatible.
template <typename Item>
class TimeoutQueue {
  struct Entry {
    Item item;
    MonoTime ends{};
  };

 public:
  // Valid until its item is removed or taken.
  using Place = typename std::list<Entry>::iterator;

  explicit TimeoutQueue(Duration timeout) : timeout_(timeout) {}

  Duration timeout() const { return timeout_; }

  // `item` waits from `now` on; `now` never goes back.
  Place Add(Item item, MonoTime now) {
    return entries_.insert(entries_.end(), {.item = item, .ends = SaturatingAdd(now, timeout_)});
  }
  void Remove(Place place) { entries_.erase(place); }

  // The end of the first item's time; kNever if nothing waits.
  MonoTime next() const { return entries_.empty() ? kNever : entries_.front().ends; }

  // Removes an item whose time has ended at `now`.
  std::optional<Item> TakeExpired(MonoTime now) {
    if (next() > now || next() == kNever) return std::nullopt;
    const Item item = entries_.front().item;
    entries_.pop_front();
    return item;
  }

 private:
  const Duration timeout_;
  std::list<Entry> entries_;
};

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_TIMEOUT_QUEUE_H_
