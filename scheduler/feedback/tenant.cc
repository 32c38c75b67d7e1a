#include "scheduler/feedback/tenant.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace anybit::scheduler {
namespace {

// Long enough that a burst of a tenant that is mostly quiet does not count as a flood; short enough to be forgiven
// soon.
constexpr double kMemoryInObjectives = 20;

// A tenant may take this much of its share before it counts against it: shares are met on average, not at each instant.
constexpr double kShareTolerance = 1.1;

}  // namespace

TenantMeter::TenantMeter(std::vector<double> shares) {
  for (const double share : shares) tenants_.push_back({.share = share});
}

void TenantMeter::Count(MonoTime at, TenantId tenant, int rows, Duration objective) {
  const auto index = static_cast<size_t>(tenant);
  if (index >= tenants_.size()) return;
  if (objective > Duration::zero() && at > last_) {
    const double age = static_cast<double>((at - last_).count()) / static_cast<double>(objective.count());
    const double kept = std::exp(-age / kMemoryInObjectives);
    for (TenantView& t : tenants_) t.recent_rows *= kept;
  }
  last_ = std::max(last_, at);
  tenants_[index].recent_rows = std::max(0.0, tenants_[index].recent_rows + rows);
  Weigh();
}

void TenantMeter::Weigh() {
  double rows = 0;
  double shares = 0;
  for (const TenantView& t : tenants_) {
    rows += t.recent_rows;
    if (t.recent_rows > 0) shares += t.share;
  }
  // Each tenant that took part is entitled to its share of all rows admitted lately.
  const double fill = shares > 0 ? rows / shares : 0;
  for (TenantView& t : tenants_) {
    const double fair = kShareTolerance * fill * t.share;
    t.weight = t.recent_rows <= fair ? 1 : fair / t.recent_rows;
  }
}

}  // namespace anybit::scheduler
