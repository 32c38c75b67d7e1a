// Items that may each wait for the same time, in the order in which they began.
//
// A process can be stopped, or starve, for longer than an item may wait. What the item waits for may have come
// meanwhile, unseen. So an item whose time is over is not taken at once: it gets a grace, from the instant at which the
// caller first looks, and another one if the caller did not look during the first.
//
// Adding, removing and asking for the first take constant time. The caller brings the time.
#ifndef ANYBIT_SERVER_TIMEOUT_QUEUE_H_
#define ANYBIT_SERVER_TIMEOUT_QUEUE_H_

#include <algorithm>
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
    bool has_grace = false;
  };
  using Entries = std::list<Entry>;

 public:
  // Valid until its item is removed or taken.
  using Place = typename Entries::iterator;

  TimeoutQueue(Duration timeout, Duration grace) : timeout_(timeout), grace_(grace) {}

  Duration timeout() const { return timeout_; }

  // `item` waits from `now` on; `now` never goes back.
  Place Add(Item item, MonoTime now) {
    return waiting_.insert(waiting_.end(), {.item = item, .ends = SaturatingAdd(now, timeout_)});
  }
  void Remove(Place place) { (place->has_grace ? late_ : waiting_).erase(place); }

  // When to look next: the end of the first item's time or grace. kNever if nothing waits.
  MonoTime next() const { return std::min(First(waiting_), First(late_)); }

  // Removes an item whose time and grace have ended at `now`.
  std::optional<Item> TakeExpired(MonoTime now) {
    while (First(waiting_) <= now && First(waiting_) != kNever) GiveGrace(waiting_, now);
    while (SaturatingAdd(First(late_), grace_) < now) GiveGrace(late_, now);
    if (First(late_) > now || late_.empty()) return std::nullopt;
    const Item item = late_.front().item;
    late_.pop_front();
    return item;
  }

 private:
  static MonoTime First(const Entries& entries) { return entries.empty() ? kNever : entries.front().ends; }

  // To the first of `entries`. Later looks give later ends, so late_ stays in order.
  void GiveGrace(Entries& entries, MonoTime now) {
    entries.front().ends = SaturatingAdd(now, grace_);
    entries.front().has_grace = true;
    late_.splice(late_.end(), entries, entries.begin());
  }

  const Duration timeout_;
  const Duration grace_;
  Entries waiting_;  // in their time, by its end
  Entries late_;     // in their grace, by its end
};

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_TIMEOUT_QUEUE_H_
