// Why a batch runs at another operating point than the batch before it.
#ifndef ANYBIT_SCHEDULER_SWITCH_REASON_H_
#define ANYBIT_SCHEDULER_SWITCH_REASON_H_

#include <array>
#include <cstdint>

#include "base/time.h"
#include "scheduler/latency/latency_table.h"
#include "scheduler/point_table.h"

namespace anybit::scheduler {

enum class SwitchReason : uint8_t {
  kFloor,     // a request of the batch does not accept the former point
  kDeadline,  // at the former point a request of the batch would be late
  kBacklog,   // the batch would be in time there, but those that wait need its time
  kRecovery,  // there is time for a more accurate point
};
inline constexpr int kSwitchReasons = 4;
inline constexpr std::array<const char*, kSwitchReasons> kSwitchReasonNames = {"floor", "deadline", "backlog",
                                                                               "recovery"};

// Of a batch that all of `allowed` may run, with `slack` until its first run_by.
SwitchReason ReasonOfSwitch(const LatencyTable& latency, PointId from, PointId to, PointSet allowed, int rows,
                            Duration slack);

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_SWITCH_REASON_H_
