// How many calls may be in the server: no more than it answers in time.
//
// A call that is passed to gRPC costs much, even if it is refused at once or ends unanswered, and the answers then lack
// that time. So a call is passed if those before it are likely to be
// answered within half of its time, at the rate of the last answers. Some calls may always be inside, so that batches
// can be filled and the rate can grow.
#ifndef ANYBIT_SERVER_FRONT_CALL_LIMIT_H_
#define ANYBIT_SERVER_FRONT_CALL_LIMIT_H_

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "base/time.h"

namespace anybit::server {

class CallLimit {
 public:
  // Calls are told apart by the order of magnitude of their timeouts, because the server answers urgent ones first.
  using Urgency = uint8_t;
  static Urgency UrgencyOf(Duration timeout);  // Duration::max(): none

  // So many calls may be inside whatever their deadlines.
  explicit CallLimit(int always) : always_(always) {}

  // Whether another call may pass that has so much time left. Remembers that one could not.
  bool Allows(Urgency urgency, Duration left);

  void Begin(Urgency urgency);
  // It was answered, or it ended in another way.
  void End(Urgency urgency, bool answered);

  // Time has passed. `now` never goes back.
  void Advance(MonoTime now);

  // Whether a call could not pass since Reset.
  bool was_reached() const { return shortest_held_ != Duration::max(); }
  void Reset() { shortest_held_ = Duration::max(); }

  // How long to look away from the sockets then, so that many calls come to one look: a small part of the time left of
  // each call that could not pass, and of the shortest timeout of the last second. Zero unless was_reached.
  Duration Pause() const;

  // Any thread.
  int inside() const { return total_.load(std::memory_order_relaxed); }

 private:
  // The rate of answers that is always assumed. Where calls have seconds, many may wait for a network that is slow or
  // has not answered yet; the scheduler judges them.
  static constexpr double kLeastRate = 1000;
  // How long the rate of answers is remembered.
  static constexpr Duration kMemory = std::chrono::milliseconds(100);
  // The part of a call's time within which those before it have to be answered. Of 64 to 128 calls inside, at a
  // deadline of 50 ms and 4,500 answers a second, nearly all were answered in time; of 200, half.
  static constexpr int kPart = 2;
  // A pause is at most this part of a call's time, and no longer than amortizes a look. On one processor each look
  // stops a slot: at twice the capacity and a deadline of 50 ms, 0.93 of it were answered in time without pauses, 0.98
  // with 1 ms and 1.15 with 2 ms (medians of 11 rounds in turns); in nine more rounds 0.98, and 0.99 with 4 ms.
  static constexpr int kPausePart = 16;
  static constexpr Duration kLongestPause = std::chrono::milliseconds(4);

  const int always_;
  std::array<int, 64> inside_{};  // by urgency
  std::atomic<int> total_ = 0;
  MonoTime at_{};
  double answered_ = 0, busy_seconds_ = 0;    // both forgotten alike
  Duration shortest_held_ = Duration::max();  // time left of the calls that could not pass since Reset
  // The most urgent calls of this period and of the one before: more like them may come during a pause.
  static constexpr Duration kPeriod = std::chrono::seconds(1);
  static constexpr Urgency kNoCall = 63;  // as of a call without a timeout
  Urgency most_urgent_ = kNoCall, most_urgent_before_ = kNoCall;
  MonoTime period_end_{};
};

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_FRONT_CALL_LIMIT_H_
