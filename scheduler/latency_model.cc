#include "scheduler/latency_model.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace anybit {
namespace {

constexpr int kExact = 1000;

// A batch that seems a thousand times slower than its profile tells of a stopped process, not of the network.
constexpr int kMostPermille = 1000 * 1000;

// Latencies are held below an hour so that the products here and the sums of callers cannot overflow.
constexpr int64_t kMostNanoseconds = int64_t{3600} * 1000 * 1000 * 1000;

int RatioPermille(Duration actual, Duration profiled) {
  const int64_t a = std::clamp<int64_t>(actual.count(), 0, kMostNanoseconds);
  const int64_t p = std::clamp<int64_t>(profiled.count(), 1, kMostNanoseconds);
  return static_cast<int>(std::clamp<int64_t>((a * kExact + p - 1) / p, 1, kMostPermille));
}

Duration Scaled(Duration profiled, int permille) {
  const int64_t p = std::min(profiled.count(), kMostNanoseconds);
  return Duration(std::min((p * permille + kExact - 1) / kExact, kMostNanoseconds));
}

}  // namespace

LatencyModel::LatencyModel(Profile profile, LatencyModelOptions options)
    : profile_(std::move(profile)),
      options_(options),
      recent_(static_cast<size_t>(std::max(options.window, 1))),
      predicted_(profile_.points.size() * static_cast<size_t>(profile_.max_batch)),
      row_cost_(profile_.points.size()) {
  Correct();
}

Duration LatencyModel::Fastest(PointSet allowed, int rows) const {
  Duration least = Duration::max();
  for (uint64_t mask = allowed.mask(); mask != 0; mask &= mask - 1) {
    least = std::min(least, Predict(ToPointId(std::countr_zero(mask)), rows));
  }
  return least;
}

Duration LatencyModel::RowCost(PointSet allowed) const {
  Duration least = Duration::max();
  for (uint64_t mask = allowed.mask(); mask != 0; mask &= mask - 1) {
    least = std::min(least, row_cost_[static_cast<size_t>(std::countr_zero(mask))]);
  }
  return least;
}

void LatencyModel::Observe(PointId point, int rows, Duration actual, MonoTime at) {
  if (count_ == recent_.size()) {
    oldest_ = (oldest_ + 1) % recent_.size();
    --count_;
  }
  recent_[(oldest_ + count_) % recent_.size()] = {.ratio_permille = RatioPermille(actual, profile_.At(point, rows)),
                                                  .at = at};
  ++count_;
  Forget(at);
  Correct();
}

void LatencyModel::Forget(MonoTime now) {
  const size_t before = count_;
  while (count_ > 0 && SaturatingAdd(recent_[oldest_].at, options_.memory) < now) {
    oldest_ = (oldest_ + 1) % recent_.size();
    --count_;
  }
  if (count_ != before) Correct();
}

void LatencyModel::Correct() {
  std::vector<int> ratios(recent_.size(), kExact);
  for (size_t i = 0; i < count_; ++i) ratios[i] = recent_[(oldest_ + i) % recent_.size()].ratio_permille;
  const size_t rank = (ratios.size() * static_cast<size_t>(options_.quantile_percent) + 99) / 100 - 1;
  std::nth_element(ratios.begin(), ratios.begin() + static_cast<std::ptrdiff_t>(rank), ratios.end());
  ratio_permille_ = ratios[rank];

  for (size_t p = 0; p < profile_.points.size(); ++p) {
    Duration cost = Duration::max();
    for (int rows = 1; rows <= profile_.max_batch; ++rows) {
      const Duration predicted = Scaled(profile_.At(ToPointId(static_cast<int>(p)), rows), ratio_permille_);
      predicted_[p * static_cast<size_t>(profile_.max_batch) + static_cast<size_t>(rows - 1)] = predicted;
      cost = std::min(cost, predicted / rows);
    }
    row_cost_[p] = cost;
  }
}

}  // namespace anybit
