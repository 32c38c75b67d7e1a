#include "scheduler/policies/anybit/outlook.h"

#include <algorithm>

namespace anybit::scheduler {
namespace {

int CountWithDeadline(const SchedulerView& view) {
  const auto none = std::partition_point(view.waiting.begin(), view.waiting.end(),
                                         [](const PendingRequest& r) { return r.run_by != kNever; });
  return static_cast<int>(none - view.waiting.begin());
}

// Rows per objective to expect: the long average, moved by the shorter ones as far as they are off by more than chance.
double LikelyRate(const ArrivalForecast& arrivals) {
  double rate = arrivals.slow;
  const auto correct = [&](double shorter, double length) {
    const double off = shorter - rate;
    const double variance = arrivals.dispersion * std::max(rate, 1.0) / (2 * length);
    rate += off * (off * off / (off * off + variance));
  };
  correct(arrivals.medium, ArrivalForecast::kMediumLength);
  correct(arrivals.fast, ArrivalForecast::kFastLength);
  return std::max(rate, 0.0);
}

}  // namespace

Outlook::Outlook(const SchedulerView& view, const AnybitOptions& options)
    : view_(view),
      options_(options),
      waiting_(view.waiting),
      latency_(view.latency),
      now_(view.now),
      dispersion_(view.arrivals.dispersion),
      ranking_(view.latency.ranking),
      end_(static_cast<int>(view.waiting.size())),
      with_deadline_(CountWithDeadline(view)),
      max_rows_(view.latency.max_batch),
      objective_(Nanoseconds(view.arrivals.objective)),
      rate_(objective_ > 0 ? LikelyRate(view.arrivals) / objective_ : 0),
      has_aged_(objective_ > 0 && with_deadline_ < end_ && with_deadline_ > 0 && IsAged(with_deadline_)) {}

const RankedPoint& Outlook::MostValuable(PointSet allowed) const {
  const RankedPoint* best = nullptr;
  for (const RankedPoint& point : points()) {
    if (allowed.Contains(point.id) && (best == nullptr || point.value > best->value)) best = &point;
  }
  return *best;
}

const RankedPoint& Outlook::FastestFor(const PendingRequest& request) const {
  const RankedPoint* best = nullptr;
  for (const RankedPoint& point : points()) {
    if (!request.allowed.Contains(point.id)) continue;
    if (best == nullptr || Predict(point, request.rows) < Predict(*best, request.rows)) best = &point;
  }
  return *best;
}

size_t Outlook::NextCheaper(size_t p) const {
  for (size_t q = p + 1; q < points().size(); ++q) {
    if (points()[q].cost < points()[p].cost && points()[q].dominated_by == 0) return q;
  }
  return p;
}

bool Outlook::NeedsAllTime(double cost, int slots) const {
  const ArrivalForecast& arrivals = view_.arrivals;
  if (objective_ <= 0) return false;
  if (std::max(arrivals.fast, arrivals.medium) < options_.busy_share * arrivals.slow) return false;
  return arrivals.slow * cost > options_.max_utilization * objective_ * slots;
}

}  // namespace anybit::scheduler
