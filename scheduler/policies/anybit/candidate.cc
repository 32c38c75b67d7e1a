#include "scheduler/policies/anybit/candidate.h"

#include <algorithm>
#include <vector>

namespace anybit::scheduler {

inline Candidate CandidateBuilder::GatherUniform(const RankedPoint& point, int max_rows) const {
  const double limit = outlook_.Slack(state_.begin);
  int rows = std::min(outlook_.with_deadline() - state_.begin, max_rows);
  while (rows > 0 && outlook_.Predict(point, rows) > limit) --rows;
  rows = point.efficient[static_cast<size_t>(rows)];
  if (rows == 0 || outlook_.Predict(point, rows) > limit) return {};  // fewer rows may be slower
  return {.first = state_.begin, .count = rows, .rows = rows};
}

inline void CandidateBuilder::AddMembers(size_t level, const RankedPoint& point, Membership membership, int max_rows,
                                         Candidate& batch) {
  passed_count_ = 0;
  const std::span<const QueueScan::Kind> kinds = scan_.kinds();
  std::array<bool, AnybitOptions::kMaxKinds> belongs{};
  for (size_t k = 0; k < kinds.size(); ++k) {
    belongs[k] = membership == Membership::kAllThatAccept ? kinds[k].allowed.Contains(point.id)
                                                          : &scan_.PointAt(level, kinds[k]) == &point;
  }
  const int end = std::min(outlook_.with_deadline(), scan_.to());
  const bool single = outlook_.view().waiting_rows == outlook_.end();  // all of one row
  for (int i = state_.begin; i < end && batch.rows < max_rows; ++i) {
    if (scan_.IsTaken(i)) continue;
    if (belongs[scan_.KindIndex(i)] && (single || batch.rows + outlook_.At(i).rows <= max_rows)) {
      Add(i, batch);
    } else {
      passed_over_[static_cast<size_t>(passed_count_++)] = i;
    }
  }
}

Candidate CandidateBuilder::Gather(size_t level, const RankedPoint& point, Membership membership, int max_rows) {
  if (state_.uniform) return GatherUniform(point, max_rows);
  Candidate batch;
  AddMembers(level, point, membership, max_rows, batch);
  if (batch.count == 0) return batch;
  const std::vector<int>& members = state_.decision.members;
  const double limit = outlook_.Slack(members[members.size() - static_cast<size_t>(batch.count)]);
  while (batch.count > 0 && outlook_.Predict(point, batch.rows) > limit) RemoveLast(batch);
  if (outlook_.has_aged() && batch.count > 0) MakeRoomForAged(point, limit, batch);
  return batch;
}

void CandidateBuilder::MakeRoomForAged(const RankedPoint& point, double limit, Candidate& batch) {
  const int max_aged_rows = std::max(1, static_cast<int>(batch.rows * outlook_.options().aged_share));
  std::array<int, AnybitOptions::kMaxScannedRequests> aged;
  size_t count = 0;
  int rows = 0;
  for (int i = outlook_.with_deadline(); i < outlook_.end() && count < aged.size() && outlook_.IsAged(i); ++i) {
    const PendingRequest& request = outlook_.At(i);
    if (state_.IsTaken(i) || !request.allowed.Contains(point.id) || rows + request.rows > max_aged_rows) continue;
    const auto end = state_.decision.members.end();
    if (std::find(end - batch.count, end, i) != end) continue;  // in overload they are members like any other
    aged[count++] = i;
    rows += request.rows;
  }
  const auto fits = [&](int members_rows) {
    return members_rows + rows <= outlook_.max_rows() && outlook_.Predict(point, members_rows + rows) <= limit;
  };
  int kept = batch.count;
  int kept_rows = batch.rows;
  for (auto last = state_.decision.members.rbegin(); kept > 1 && !fits(kept_rows); ++last, --kept) {
    kept_rows -= outlook_.At(*last).rows;
  }
  if (!fits(kept_rows)) return;
  while (batch.count > kept) RemoveLast(batch);
  for (size_t i = 0; i < count; ++i) Add(aged[i], batch);
}

RemainingQueue CandidateBuilder::Remaining(const Candidate& batch) const {
  const int with_deadline = outlook_.with_deadline();
  RemainingQueue queue{.last = with_deadline - 1,
                       .count = with_deadline - state_.begin - state_.CountTaken(with_deadline) - batch.count};
  if (state_.uniform) {
    queue.next = state_.begin + batch.rows;
  } else {
    const int last_member = batch.count > 0 ? state_.decision.members.back() : state_.begin;
    queue.passed_over = passed_over();
    queue.next = std::min(last_member, queue.last) + 1;
  }
  if (queue.count > 0) {
    queue.rows_each = std::max(1.0, static_cast<double>(outlook_.view().waiting_rows) / outlook_.end());
  }
  return queue;
}

bool CandidateBuilder::CanStillServePassedOver(const SlotTimes& free, size_t level) const {
  if (passed_count_ == 0) return true;
  const int first = passed_over_[0];
  const RankedPoint& point = scan_.PointAt(level, scan_.KindOf(first));
  int rows = 0;
  for (const int position : passed_over()) {
    if (&scan_.PointAt(level, scan_.KindOf(position)) != &point) continue;
    if (rows + outlook_.At(position).rows <= outlook_.max_rows()) rows += outlook_.At(position).rows;
  }
  return free.Soonest() + outlook_.Predict(point, rows) <= outlook_.Slack(first);
}

}  // namespace anybit::scheduler
