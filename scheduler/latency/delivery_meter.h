// How long answers are under way after their batch has ended: written down, sent, taken by the network's buffers. Where
// all processors are busy that is milliseconds, and an answer that was ready in time comes late. A margin to deadlines
// that is measured, not a constant.
#ifndef ANYBIT_SCHEDULER_LATENCY_DELIVERY_METER_H_
#define ANYBIT_SCHEDULER_LATENCY_DELIVERY_METER_H_

#include <array>
#include <chrono>
#include <cstddef>

#include "scheduler/time.h"

namespace anybit {

class DeliveryMeter {
 public:
  // What was measured longer ago is forgotten, as the latency model forgets.
  static constexpr Duration kMemory = std::chrono::seconds(10);
  // Fewer answers tell nothing: one that was slow may be the first ever sent.
  static constexpr int kLeastCount = 8;
  // The margin is at most this part of the time that a request has: where sending takes longer, most of what could be
  // served would be refused for what may be late.
  static constexpr int kMostPart = 4;

  // The margin holds for all but one answer in a hundred; a batch's prediction only for all but one in twenty. A late
  // answer has cost as much as one in time, and a slow delivery delays every answer of its batch.
  static constexpr size_t kHoldsForPercent = 99;

  // An answer was under way for `took`, until `at`; instants never go back.
  void Observe(Duration took, MonoTime at);

  // What kHoldsForPercent of the last kWindow answers kept to; 0 if there are too few.
  Duration margin(MonoTime now);

  // The instant by which the batch of a request must have ended that came at `now` and is to be answered by `deadline`.
  MonoTime EndFor(MonoTime deadline, MonoTime now) { return EndFor(deadline, now, margin(now)); }
  static MonoTime EndFor(MonoTime deadline, MonoTime now, Duration margin);

 private:
  static constexpr size_t kWindow = 256;

  struct Delivery {
    Duration took{};
    MonoTime at{};
  };
  std::array<Delivery, kWindow> recent_;  // a ring
  size_t oldest_ = 0;
  size_t count_ = 0;
  bool changed_ = false;  // since margin_ was found
  Duration margin_{};
};

}  // namespace anybit

#endif  // ANYBIT_SCHEDULER_LATENCY_DELIVERY_METER_H_
