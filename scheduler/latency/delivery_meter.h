// How long answers take from the end of their batch until they are sent: serialized, written, buffered by the network.
// Where all processors are busy that is milliseconds, and an answer that was ready in time leaves late. So it is the
// margin between run_by and answer_by, measured and not a constant.
#ifndef ANYBIT_SCHEDULER_LATENCY_DELIVERY_METER_H_
#define ANYBIT_SCHEDULER_LATENCY_DELIVERY_METER_H_

#include <chrono>
#include <cstddef>

#include "base/time.h"
#include "scheduler/latency/ring.h"

namespace anybit::scheduler {

class DeliveryMeter {
 public:
  // Older measurements are forgotten, as the latency model forgets.
  static constexpr Duration kMemory = std::chrono::seconds(10);
  // With fewer answers there is no margin: a slow answer may be the first ever sent.
  static constexpr int kMinCount = 8;
  // The margin is at most the request's remaining time divided by this. A longer margin would refuse most requests that
  // could be served, to save the few that may be late.
  static constexpr int kMaxMarginDivisor = 4;
  // The margin holds for all but one answer in a hundred; a batch's prediction only for all but one in twenty. A late
  // answer has cost as much as one in time, and a slow delivery delays every answer of its batch.
  static constexpr size_t kMarginPercentile = 99;

  // Sending an answer took `took`, until `at`; instants never go back.
  void Observe(Duration took, MonoTime at);

  // The percentile of the last kWindow answers; 0 if there are too few.
  Duration margin(MonoTime now);

  // The instant at which the batch of a request that arrived at `now` must end, if its answer must leave by
  // `answer_by`.
  MonoTime RunBy(MonoTime answer_by, MonoTime now) { return RunBy(answer_by, now, margin(now)); }
  static MonoTime RunBy(MonoTime answer_by, MonoTime now, Duration margin);

 private:
  static constexpr size_t kWindow = 256;

  struct Delivery {
    Duration took{};
    MonoTime at{};
  };
  Ring<Delivery> recent_{kWindow};
  bool changed_ = false;  // since margin_ was found
  Duration margin_{};
};

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_LATENCY_DELIVERY_METER_H_
