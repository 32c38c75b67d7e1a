#include "scheduler/policies/anybit/queue_scan.h"

#include <algorithm>

#include "scheduler/request.h"

namespace anybit::scheduler {

inline void QueueScan::MarkTaken(const Decision& decision) {
  std::fill_n(kind_of_.begin(), to_ - from_, kUnread);
  for (const Plan& plan : decision.plans) {
    for (const int member : decision.MembersOf(plan)) {
      if (member >= from_ && member < to_) kind_of_[static_cast<size_t>(member - from_)] = kTaken;
    }
  }
}

inline int QueueScan::Find(PointSet allowed) const {
  const int likely = last_of_bucket_[HashBucket(allowed)];
  if (likely < kind_count_ && kinds_[static_cast<size_t>(likely)].allowed == allowed) return likely;
  int k = 0;
  while (k < kind_count_ && !(kinds_[static_cast<size_t>(k)].allowed == allowed)) ++k;
  return k;
}

inline bool QueueScan::ReadOne(int position) {
  const PendingRequest& request = outlook_.At(position);
  const int k = Find(request.allowed);
  if (k == kind_count_) {
    if (kind_count_ == AnybitOptions::kMaxKinds) return false;
    last_of_bucket_[HashBucket(request.allowed)] = static_cast<uint8_t>(k);
    kinds_[static_cast<size_t>(kind_count_++)] = {.allowed = request.allowed,
                                                  .most_valuable = &outlook_.MostValuable(request.allowed),
                                                  .least_cost = LeastCost(request.allowed)};
  }
  Kind& kind = kinds_[static_cast<size_t>(k)];
  kind.rows += request.rows;
  if (position < outlook_.with_deadline()) kind.rows_with_deadline += request.rows;
  kind_of_[static_cast<size_t>(position - from_)] = static_cast<uint8_t>(k);
  return true;
}

void QueueScan::Read(const PlanState& state) {
  kind_count_ = 0;
  from_ = state.begin;
  to_ = std::min(outlook_.end(), from_ + AnybitOptions::kMaxScannedRequests);
  is_too_long_ = false;
  MarkTaken(state.decision);
  double work = 0;
  for (int i = from_; i < to_; ++i) {
    if (IsTaken(i)) continue;
    if (!ReadOne(i)) {
      to_ = i;
      break;
    }
    if (i >= outlook_.with_deadline()) continue;
    work += KindOf(i).least_cost * outlook_.At(i).rows;
    if (i % outlook_.options().late_check_interval == 0) is_too_long_ |= work > state.free.Room(outlook_.Slack(i));
  }
  FindFloors();
}

void QueueScan::FindFloors() {
  floors_ = {};
  for (const Kind& kind : kinds()) {
    if (kind.allowed.size() == static_cast<int>(outlook_.points().size())) continue;
    floors_.share = static_cast<double>(outlook_.view().waiting_special) / outlook_.end();
    floors_.point = kind.most_valuable;
    return;
  }
}

double QueueScan::LeastCost(PointSet allowed) const {
  double least = kForever;
  for (const RankedPoint& point : outlook_.points()) {
    if (allowed.Contains(point.id)) least = std::min(least, point.cost);
  }
  return outlook_.TypicalCost(least);
}

bool QueueScan::IsAcceptedByAny(const RankedPoint& point) const {
  return std::any_of(kinds().begin(), kinds().end(), [&](const Kind& kind) { return kind.allowed.Contains(point.id); });
}

const RankedPoint& QueueScan::PointOfMost(size_t level) const {
  std::array<int, kMaxPoints> rows{};
  const RankedPoint* most = nullptr;
  for (const Kind& kind : kinds()) {
    if (kind.rows_with_deadline == 0) continue;
    const RankedPoint& point = PointAt(level, kind);
    int& own = rows[static_cast<size_t>(ToIndex(point.id))];
    own += kind.rows_with_deadline;
    if (most == nullptr || own > rows[static_cast<size_t>(ToIndex(most->id))]) most = &point;
  }
  return *most;
}

std::array<int, kMaxPoints> QueueScan::RowsByGroup() const {
  std::array<int, kMaxPoints> rows{};
  for (const Kind& kind : kinds()) rows[static_cast<size_t>(ToIndex(kind.most_valuable->id))] += kind.rows;
  for (int& own : rows) own = std::min(own, outlook_.max_rows());
  return rows;
}

}  // namespace anybit::scheduler
