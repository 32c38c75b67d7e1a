#include "scheduler/policies/slackfit.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <optional>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"

namespace anybit::scheduler {
namespace {

// Whether `other` makes `point` superfluous at this batch size. Of two equal points the first stays.
bool Dominates(const Profile& profile, int other, int point, int rows) {
  if (other == point) return false;
  const double gain =
      profile.points[static_cast<size_t>(other)].accuracy - profile.points[static_cast<size_t>(point)].accuracy;
  const Duration saved = profile.At(ToPointId(point), rows) - profile.At(ToPointId(other), rows);
  if (gain < 0 || saved < Duration::zero()) return false;
  return gain > 0 || saved > Duration::zero() || other < point;
}

// All that wait as one batch, if one of `head`'s points runs it within `slack`.
std::optional<BatchChoice> EverybodyWithin(const Unplanned& unplanned, int head, Duration slack) {
  const SchedulerView& view = unplanned.view();
  const PendingRequest& request = unplanned.At(head);
  const int rows = std::min(view.waiting_rows, view.latency.max_batch);
  const std::optional<PointId> point = MostAccurateWithin(view.latency, request.allowed, rows, slack);
  if (!point) return std::nullopt;
  return MostAccurateBatch(unplanned, unplanned.Gather(head, *point, rows), slack);
}

std::string NameOf(int buckets, SlackFit::Variant variant) {
  const bool literal = variant == SlackFit::Variant::kLiteral;
  const std::string name = literal ? "slackfit-literal" : "slackfit";
  const int usual = literal ? SlackFit::kDefaultLiteralBuckets : SlackFit::kDefaultBuckets;
  return buckets == usual ? name : absl::StrCat(name, ":", buckets);
}

}  // namespace

SlackFit::SlackFit(const Profile& profile, int buckets, Variant variant)
    : points_(profile.points),
      max_batch_(profile.max_batch),
      buckets_(buckets),
      variant_(variant),
      name_(NameOf(buckets, variant)) {
  Duration least = Duration::max();
  Duration most = Duration::zero();
  for (const std::vector<Duration>& of_point : profile.latency) {
    const auto [low, high] = std::minmax_element(of_point.begin(), of_point.end());
    least = std::min(least, *low);
    most = std::max(most, *high);
  }
  const Duration width = (most - least) / buckets_ + Duration(1);

  const int points = static_cast<int>(points_.size());
  for (int p = 0; p < points; ++p) {
    for (int rows = 1; rows <= max_batch_; ++rows) {
      const Duration latency = profile.At(ToPointId(p), rows);
      Cell cell{.latency = latency, .bucket = static_cast<int>((latency - least) / width)};
      for (int other = 0; other < points; ++other) {
        if (Dominates(profile, other, p, rows)) cell.dominated_by |= uint64_t{1} << other;
      }
      cells_.push_back(cell);
    }
  }
  all_entries_ = EntriesOf(PointSet::First(points));
}

const SlackFit::Cell& SlackFit::CellOf(PointId point, int rows) const {
  return cells_[static_cast<size_t>(ToIndex(point) * max_batch_ + rows - 1)];
}

std::vector<SlackFit::Entry> SlackFit::EntriesOf(PointSet allowed) const {
  std::vector<Entry> entries(static_cast<size_t>(buckets_));
  for (uint64_t mask = allowed.mask(); mask != 0; mask &= mask - 1) {
    const PointId point = ToPointId(std::countr_zero(mask));
    const double accuracy = points_[static_cast<size_t>(ToIndex(point))].accuracy;
    for (int rows = max_batch_; rows >= 1; --rows) {
      const Cell& cell = CellOf(point, rows);
      if ((cell.dominated_by & allowed.mask()) != 0) continue;
      Entry& entry = entries[static_cast<size_t>(cell.bucket)];
      // Of two undominated points with equal rows the more accurate is the slower: latency never breaks a tie here.
      if (rows > entry.rows || (variant_ == Variant::kRefill && rows == entry.rows &&
                                accuracy > points_[static_cast<size_t>(ToIndex(entry.point))].accuracy)) {
        entry = {.point = point, .rows = rows};
      }
    }
  }
  return entries;
}

SlackFit::Entry SlackFit::ClosestWithin(const LatencyTable& latency, const PendingRequest& head, Duration slack) const {
  const bool all = head.allowed.size() == static_cast<int>(points_.size());
  std::vector<Entry> of_head;
  if (!all) of_head = EntriesOf(head.allowed);
  Entry closest;
  Duration closest_latency{};
  for (const Entry& entry : all ? all_entries_ : of_head) {
    if (entry.rows < head.rows) continue;
    const Duration predicted = latency.Predict(entry.point, entry.rows);
    if (predicted <= slack && predicted > closest_latency) {
      closest = entry;
      closest_latency = predicted;
    }
  }
  return closest;
}

std::optional<BatchChoice> SlackFit::ChooseRefilled(const Unplanned& unplanned, int head) const {
  const SchedulerView& view = unplanned.view();
  const PendingRequest& request = unplanned.At(head);
  const Duration slack = Slack(view, request);
  const std::optional<PointId> most_accurate = MostAccurateWithin(view.latency, request.allowed, request.rows, slack);
  if (!most_accurate) return std::nullopt;
  if (request.run_by == kNever) {
    const int rows = std::max(
        request.rows, LargestWithin(view.latency, *most_accurate, view.latency.max_batch, kMaxBatchWithoutDeadline));
    return BatchChoice{.point = *most_accurate, .members = unplanned.Gather(head, *most_accurate, rows)};
  }

  const Entry entry = ClosestWithin(view.latency, request, slack);
  if (entry.rows == 0) return EverybodyWithin(unplanned, head, slack);
  std::vector<int> members = unplanned.Gather(head, entry.point, entry.rows);
  if (SumRows(view, members) == entry.rows) return BatchChoice{.point = entry.point, .members = std::move(members)};
  return MostAccurateBatch(unplanned, std::move(members), slack);
}

std::optional<BatchChoice> SlackFit::ChooseLiterally(const Unplanned& unplanned, int head) const {
  const SchedulerView& view = unplanned.view();
  const PendingRequest& request = unplanned.At(head);
  const Duration slack = Slack(view, request);
  const Entry entry = ClosestWithin(view.latency, request, slack);
  if (entry.rows == 0) return std::nullopt;
  std::vector<int> members = unplanned.Gather(head, entry.point, entry.rows);
  // Fewer rows than the bucket's may take longer than all of them.
  while (!members.empty() && view.latency.Predict(entry.point, SumRows(view, members)) > slack) members.pop_back();
  if (members.empty()) return std::nullopt;
  return BatchChoice{.point = entry.point, .members = std::move(members)};
}

void SlackFit::DecideInto(const SchedulerView& view, Decision& decision) const {
  FillIdleSlots(view, decision, [&](const Unplanned& unplanned, int head) {
    return variant_ == Variant::kLiteral ? ChooseLiterally(unplanned, head) : ChooseRefilled(unplanned, head);
  });
}

}  // namespace anybit::scheduler
