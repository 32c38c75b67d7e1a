#include "scheduler/latency/delivery_meter.h"

#include <algorithm>

#include "scheduler/quantile.h"

namespace anybit {

void DeliveryMeter::Observe(Duration took, MonoTime at) {
  if (count_ == kWindow) {
    oldest_ = (oldest_ + 1) % kWindow;
    --count_;
  }
  recent_[(oldest_ + count_++) % kWindow] = {.took = std::max(took, Duration::zero()), .at = at};
  changed_ = true;
}

Duration DeliveryMeter::margin(MonoTime now) {
  for (; count_ > 0 && SaturatingAdd(recent_[oldest_].at, kMemory) < now; --count_) {
    oldest_ = (oldest_ + 1) % kWindow;
    changed_ = true;
  }
  if (!changed_) return margin_;
  changed_ = false;
  margin_ = Duration::zero();
  if (count_ < kLeastCount) return margin_;
  std::array<Duration, kWindow> sorted;
  for (size_t i = 0; i < count_; ++i) sorted[i] = recent_[(oldest_ + i) % kWindow].took;
  const auto holding = sorted.begin() + static_cast<std::ptrdiff_t>(RankHolding(count_, kHoldsForPercent));
  std::nth_element(sorted.begin(), holding, sorted.begin() + static_cast<std::ptrdiff_t>(count_));
  return margin_ = *holding;
}

MonoTime DeliveryMeter::EndFor(MonoTime deadline, MonoTime now, Duration margin) {
  if (deadline == kNever || deadline <= now) return deadline;
  return deadline - std::min(margin, (deadline - now) / kMostPart);
}

}  // namespace anybit
