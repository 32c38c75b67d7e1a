#include "scheduler/switch_reason.h"

namespace anybit::scheduler {

SwitchReason ReasonOfSwitch(const LatencyTable& latency, PointId from, PointId to, PointSet allowed, int rows,
                            Duration slack) {
  if (!allowed.Contains(from)) return SwitchReason::kFloor;
  if (latency.AccuracyOf(to) > latency.AccuracyOf(from)) return SwitchReason::kRecovery;
  return latency.Predict(from, rows) > slack ? SwitchReason::kDeadline : SwitchReason::kBacklog;
}

}  // namespace anybit::scheduler
