#include "scheduler/latency/delivery_meter.h"

#include <algorithm>
#include <array>
#include <span>

#include "base/statistics.h"
#include "scheduler/latency/quantile.h"

namespace anybit::scheduler {

void DeliveryMeter::Observe(Duration took, MonoTime at) {
  recent_.Push({.took = std::max(took, Duration::zero()), .at = at});
  changed_ = true;
}

Duration DeliveryMeter::margin(MonoTime now) {
  for (; !recent_.empty() && SaturatingAdd(recent_.oldest().at, kMemory) < now; changed_ = true) recent_.DropOldest(1);
  if (!changed_) return margin_;
  changed_ = false;
  margin_ = Duration::zero();
  if (recent_.size() < kMinCount) return margin_;
  std::array<Duration, kWindow> times;
  for (size_t i = 0; i < recent_.size(); ++i) times[i] = recent_[i].took;
  return margin_ =
             ValueAtRank(std::span(times).first(recent_.size()), PercentileRank(recent_.size(), kMarginPercentile));
}

MonoTime DeliveryMeter::RunBy(MonoTime answer_by, MonoTime now, Duration margin) {
  if (answer_by == kNever || answer_by <= now) return answer_by;
  return answer_by - std::min(margin, (answer_by - now) / kMaxMarginDivisor);
}

}  // namespace anybit::scheduler
