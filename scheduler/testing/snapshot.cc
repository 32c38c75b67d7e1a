#include "scheduler/testing/snapshot.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace anybit::scheduler::testing {

Profile AffineProfile(const std::vector<AffinePoint>& points, int max_batch) {
  Profile profile{.max_batch = max_batch};
  for (const AffinePoint& point : points) {
    profile.points.push_back({.name = point.name, .accuracy = point.accuracy});
    std::vector<Duration>& latency = profile.latency.emplace_back();
    for (int rows = 1; rows <= max_batch; ++rows) latency.push_back(point.first + (rows - 1) * point.next);
  }
  return profile;
}

Profile ThreePoints() {
  using std::chrono::microseconds;
  using std::chrono::milliseconds;
  return AffineProfile({{"hi", 0.90, milliseconds(10), milliseconds(2)},
                        {"mid", 0.85, milliseconds(5), milliseconds(1)},
                        {"lo", 0.70, milliseconds(2), microseconds(500)}},
                       8);
}

Snapshot::Snapshot(Profile profile, int slots) : latency_(std::move(profile)), slots_(static_cast<size_t>(slots)) {}

Snapshot& Snapshot::Add(MonoTime run_by, PointSet allowed, int rows, SlaClassId sla_class, TenantId tenant) {
  const PendingRequest request{.id = static_cast<RequestId>(++last_id_),
                               .arrival = now,
                               .answer_by = run_by,
                               .run_by = run_by,
                               .allowed = allowed,
                               .sla_class = sla_class,
                               .tenant = tenant,
                               .rows = rows};
  const auto place = std::upper_bound(waiting_.begin(), waiting_.end(), request,
                                      [](const auto& a, const auto& b) { return a.run_by < b.run_by; });
  waiting_.insert(place, request);
  return *this;
}

Snapshot& Snapshot::AddMany(int count, MonoTime run_by, PointSet allowed, int rows, SlaClassId sla_class,
                            TenantId tenant) {
  for (int i = 0; i < count; ++i) Add(run_by, allowed, rows, sla_class, tenant);
  return *this;
}

Snapshot& Snapshot::At(MonoTime instant) {
  now = instant;
  return *this;
}

Snapshot& Snapshot::Occupy(int slot, MonoTime free_at) {
  slots_[static_cast<size_t>(slot)] = {.idle = false, .free_at = free_at};
  return *this;
}

SchedulerView Snapshot::view() const {
  const PointSet all = PointSet::First(static_cast<int>(latency_.table().points.size()));
  int rows = 0;
  int special = 0;
  for (const PendingRequest& request : waiting_) {
    rows += request.rows;
    special += request.rows != 1 || !(request.allowed == all);
  }
  return {.now = now,
          .waiting = waiting_,
          .waiting_rows = rows,
          .waiting_special = special,
          .slots = slots_,
          .latency = latency_.table(),
          .arrivals = arrivals,
          .weights_vary = !class_weights.empty() || !tenants.empty(),
          .class_weights = class_weights,
          .tenants = tenants,
          .attained_with_floor = attained_with_floor,
          .attained_without_floor = attained_without_floor,
          .aimd_rows = aimd_rows,
          .max_queue_requests = max_queue_requests,
          .draining = draining,
          .hurry = hurry};
}

std::vector<int> MembersOfPlan(const Decision& decision, size_t i) {
  if (i >= decision.plans.size()) return {};
  const std::span<const int> members = decision.MembersOf(decision.plans[i]);
  return {members.begin(), members.end()};
}

IdList Ids(const SchedulerView& view, std::span<const int> positions) {
  IdList ids;
  for (const int position : positions) {
    ids.push_back(static_cast<uint64_t>(view.waiting[static_cast<size_t>(position)].id));
  }
  return ids;
}

IdList PlannedIds(const SchedulerView& view, const Decision& decision, size_t i) {
  return Ids(view, MembersOfPlan(decision, i));
}

}  // namespace anybit::scheduler::testing
