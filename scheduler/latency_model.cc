#include "scheduler/latency_model.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <utility>

namespace anybit {
namespace {

constexpr int kExact = 1000;

// A batch that seems a thousand times slower than its profile tells of a stopped process, not of the network.
constexpr int kMostPermille = 1000 * 1000;

// Latencies are held below an hour so that the products here and the sums of callers cannot overflow.
constexpr int64_t kMostNanoseconds = int64_t{3600} * 1000 * 1000 * 1000;

// Before anything ran, the profile counts as so many batches.
constexpr size_t kProfileCounts = 2;

// The share of batches that a prediction must hold for, beside two times the scatter: noise with a long tail has little
// scatter near its median.
constexpr size_t kHoldsForPercent = 95;

// Another regime begins where the median moved by more than this share of itself and by more than three times the
// scatter: smaller changes the window follows by itself, before they matter.
constexpr int kRegimePermille = 60;

// The most that a profile is doubted by.
constexpr int kLeastTrust = 50;

int RatioPermille(Duration actual, Duration profiled) {
  const int64_t a = std::clamp<int64_t>(actual.count(), 0, kMostNanoseconds);
  const int64_t p = std::clamp<int64_t>(profiled.count(), 1, kMostNanoseconds);
  return static_cast<int>(std::clamp<int64_t>((a * kExact + p - 1) / p, 1, kMostPermille));
}

Duration Scaled(Duration profiled, int permille) {
  const int64_t p = std::min(profiled.count(), kMostNanoseconds);
  return Duration(std::min((p * permille + kExact - 1) / kExact, kMostNanoseconds));
}

// Duration::max() if `points` is empty.
template <typename Latency>
Duration LeastOf(PointSet points, Latency latency) {
  Duration least = Duration::max();
  for (uint64_t mask = points.mask(); mask != 0; mask &= mask - 1) {
    least = std::min(least, latency(ToPointId(std::countr_zero(mask))));
  }
  return least;
}

}  // namespace

LatencyModel::LatencyModel(Profile profile, LatencyModelOptions options)
    : profile_(std::move(profile)),
      options_(options),
      recent_(static_cast<size_t>(std::max({options.window, options.regime, 1}))),
      predicted_(profile_.points.size() * static_cast<size_t>(profile_.max_batch)) {
  sorting_.reserve(recent_.size() + kProfileCounts);
  for (const std::vector<Duration>& latency : profile_.latency) {
    Duration cost = Duration::max();
    for (size_t b = 0; b < latency.size(); ++b) cost = std::min(cost, latency[b] / static_cast<int64_t>(b + 1));
    row_cost_.push_back(cost);
  }
  upper_permille_ = 0;   // so that Correct fills the table
  Correct();
}

Duration LatencyModel::PredictLeast(PointId point, int rows) const {
  return Scaled(profile_.At(point, rows), std::max(typical_permille_ - scatter_permille_, 1));
}

Duration LatencyModel::Fastest(PointSet allowed, int rows) const {
  return LeastOf(allowed, [&](PointId point) { return Predict(point, rows); });
}

Duration LatencyModel::FastestLeast(PointSet allowed, int rows) const {
  return LeastOf(allowed, [&](PointId point) { return PredictLeast(point, rows); });
}

Duration LatencyModel::RowCost(PointSet allowed) const {
  const Duration least =
      LeastOf(allowed, [&](PointId point) { return row_cost_[static_cast<size_t>(ToIndex(point))]; });
  return least == Duration::max() ? least : Scaled(least, typical_permille_);
}

void LatencyModel::Observe(PointId point, int rows, Duration actual, MonoTime at) {
  profile_permille_ = kExact;
  if (count_ == recent_.size()) DropOldest(1);
  ++count_;
  Recent(count_ - 1) = {.ratio_permille = RatioPermille(actual, profile_.At(point, rows)), .at = at};
  Forget(at);
  DropFormerRegime();
  Correct();
}

void LatencyModel::Doubt() {
  if (count_ > 0 || profile_permille_ <= kLeastTrust) return;
  profile_permille_ = std::max(profile_permille_ / 2, kLeastTrust);
  Correct();
}

void LatencyModel::Forget(MonoTime now) {
  size_t old = 0;
  while (old < count_ && SaturatingAdd(Recent(old).at, options_.memory) < now) ++old;
  if (old == 0) return;
  DropOldest(old);
  Correct();
}

void LatencyModel::DropOldest(size_t count) {
  oldest_ = (oldest_ + count) % recent_.size();
  count_ -= count;
}

int LatencyModel::Ranked(size_t count, size_t rank) {
  sorting_.clear();
  for (size_t i = count_ - count; i < count_; ++i) sorting_.push_back(Recent(i).ratio_permille);
  // The profile's own voice, until the window is fuller than it.
  if (count == count_) sorting_.resize(std::max(count, kProfileCounts), profile_permille_);
  rank = std::min(rank, sorting_.size() - 1);
  std::nth_element(sorting_.begin(), sorting_.begin() + static_cast<std::ptrdiff_t>(rank), sorting_.end());
  return sorting_[rank];
}

int LatencyModel::RankedDistance(size_t count, size_t rank, int from) {
  sorting_.clear();
  for (size_t i = count_ - count; i < count_; ++i) sorting_.push_back(std::abs(Recent(i).ratio_permille - from));
  if (sorting_.empty()) return 0;
  std::nth_element(sorting_.begin(), sorting_.begin() + static_cast<std::ptrdiff_t>(rank), sorting_.end());
  return sorting_[rank];
}

void LatencyModel::DropFormerRegime() {
  const auto regime = static_cast<size_t>(options_.regime);
  if (count_ < regime) return;
  const int now = Ranked(regime, regime / 2);
  const int least = std::max(typical_permille_ * kRegimePermille / 1000, 3 * scatter_permille_ / 2);
  if (std::abs(now - typical_permille_) <= least) return;
  // Nor may the last few of the former regime stay: they would count as the new one's tail until the window is full.
  const auto former = [&] {
    const int ratio = Recent(0).ratio_permille;
    return std::abs(ratio - typical_permille_) < std::abs(ratio - now);
  };
  DropOldest(count_ - regime);
  while (former()) DropOldest(1);
}

void LatencyModel::Correct() {
  const size_t counted = std::max(count_, kProfileCounts);
  typical_permille_ = Ranked(count_, counted / 2);
  // A few batches have no scatter: their distance to a profile that may be wrong is none.
  const bool few = count_ < static_cast<size_t>(options_.regime);
  scatter_permille_ = few ? 0 : 2 * RankedDistance(count_, count_ / 2, typical_permille_);
  const int holding = Ranked(count_, (counted * kHoldsForPercent + 99) / 100 - 1);
  const int upper = std::max(typical_permille_ + scatter_permille_, holding);
  if (upper == upper_permille_) return;
  upper_permille_ = upper;
  for (size_t p = 0; p < profile_.points.size(); ++p) {
    for (int rows = 1; rows <= profile_.max_batch; ++rows) {
      const PointId point = ToPointId(static_cast<int>(p));
      predicted_[Index(point, rows)] = Scaled(profile_.At(point, rows), upper);
    }
  }
}

}  // namespace anybit
