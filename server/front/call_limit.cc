#include "server/front/call_limit.h"

#include <algorithm>
#include <bit>
#include <numeric>
#include <utility>

namespace anybit::server {

CallLimit::Urgency CallLimit::UrgencyOf(Duration timeout) {
  return static_cast<Urgency>(std::bit_width(static_cast<uint64_t>(std::max(timeout, Duration::zero()).count())));
}

bool CallLimit::Allows(Urgency urgency, Duration left) {
  most_urgent_ = std::min(most_urgent_, urgency);
  const int before = std::accumulate(inside_.begin(), inside_.begin() + urgency + 1, 0);
  if (before < always_) return true;
  const double rate = busy_seconds_ > 0 ? std::max(answered_ / busy_seconds_, kLeastRate) : kLeastRate;
  if (before < rate * ToSeconds(left) / kPart) return true;
  shortest_held_ = std::min(shortest_held_, left);
  return false;
}

Duration CallLimit::Pause() const {
  if (!was_reached()) return Duration::zero();
  const Urgency urgency = std::min(most_urgent_, most_urgent_before_);
  const Duration least = urgency == 0 ? Duration::zero() : Duration(int64_t{1} << (urgency - 1));  // of this urgency
  return std::clamp(std::min(shortest_held_, least) / kPausePart, Duration::zero(), kLongestPause);
}

void CallLimit::Begin(Urgency urgency) {
  ++inside_[urgency];
  total_.fetch_add(1, std::memory_order_relaxed);
}

void CallLimit::End(Urgency urgency, bool answered) {
  --inside_[urgency];
  total_.fetch_sub(1, std::memory_order_relaxed);
  answered_ += answered ? 1 : 0;
}

void CallLimit::Advance(MonoTime now) {
  const Duration passed = now - at_;
  at_ = now;
  if (now >= period_end_) {
    period_end_ = now + kPeriod;
    most_urgent_before_ = std::exchange(most_urgent_, kNoCall);
  }
  if (inside() == 0) return;
  const double kept = std::max(0.0, 1 - ToSeconds(passed) / ToSeconds(kMemory));
  answered_ *= kept;
  busy_seconds_ = busy_seconds_ * kept + std::min(ToSeconds(passed), ToSeconds(kMemory));
}

}  // namespace anybit::server
