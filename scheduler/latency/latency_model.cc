#include "scheduler/latency/latency_model.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <functional>
#include <span>
#include <tuple>
#include <utility>

#include "base/statistics.h"
#include "scheduler/quantile.h"

namespace anybit {
namespace {

constexpr int kExact = 1000;

// A batch that seems a thousand times slower than its profile tells of a stopped process, not of the network.
constexpr int kMostPermille = 1000 * 1000;

// Times of computing and overheads are each held below an hour so that the products here and the sums of callers cannot
// overflow.
constexpr int64_t kMostNanoseconds = int64_t{3600} * 1000 * 1000 * 1000;
constexpr Duration kMostTime(kMostNanoseconds);

// With fewer batches than this the profile stands in for those that are missing: a first outlier is outvoted two to
// one, two batches that agree are believed.
constexpr size_t kProfileCounts = 3;

// Another regime begins where the median moved by more than this share of itself and by more than three times the
// scatter: smaller changes the window follows by itself, before they matter.
constexpr int kRegimePermille = 60;

// Beside a point's own ratios the profile counts as so many.
constexpr size_t kProfileCountsForOwn = 2;

// The points are ranked anew when the additive part has changed by this part of itself and by this part of the shortest
// batch.
constexpr int64_t kAdditivePart = 4;
constexpr int64_t kShortestPart = 50;

// A point's own correction counts from the first part on, for few ratios from more, and only beyond three times what
// the median of so many ratios of their scatter is off by; it moves when it has changed by the last part.
constexpr int kOwnPermille = 60;
constexpr int kOwnFewPermille = 300;
constexpr int kOwnChangePermille = 30;

// So many warm batches of a point are enough to judge it by them alone.
constexpr std::ptrdiff_t kEnoughWarm = 3;

// Batches of up to so many times as many rows are compared.
constexpr int kAboutAsLarge = 4;

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
      predicted_(profile_.points.size() * static_cast<size_t>(profile_.max_batch)),
      typical_(predicted_.size()),
      own_(profile_.points.size()),
      corrected_(profile_),
      row_cost_(profile_.points.size()) {
  sorting_.reserve(std::max(recent_.size(), kOwnWindow) + kProfileCounts);
  sorting_times_.reserve(recent_.size() + kProfileCounts);
  by_length_.reserve(recent_.size());
  ApplyOwn();
}

Duration LatencyModel::Corrected(PointId point, int rows, int common_permille) const {
  // One rounding, so that times ten times as long give predictions ten times as long.
  const int64_t permille = int64_t{own_permille(point)} * common_permille / kExact;
  return Scaled(profile_.At(point, rows), static_cast<int>(std::clamp<int64_t>(permille, 1, kMostPermille)));
}

Duration LatencyModel::PredictLeast(PointId point, int rows) const {
  return Corrected(point, rows, std::max(typical_permille_ - scatter_permille_, 1));
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

Duration LatencyModel::FastestHoped(PointSet allowed, int rows) const {
  return LeastOf(allowed, [&](PointId point) { return Scaled(profile_.At(point, rows), hoped_permille()); });
}

int LatencyModel::PermilleWithin(PointSet allowed, int rows, Duration limit) const {
  const Duration slowest = -LeastOf(allowed, [&](PointId point) { return -profile_.At(point, rows); });
  return static_cast<int>(
      std::clamp<int64_t>(std::min(limit, kMostTime).count() * kExact / slowest.count(), 1, kExact));
}

bool LatencyModel::checked() const { return observed_ >= kProfileCounts; }

int LatencyModel::hoped_permille() const { return std::min(good_permille_, kExact); }

void LatencyModel::Observe(PointId point, int rows, Duration compute, MonoTime at, Duration overhead, bool warm) {
  observed_ = std::min(observed_ + 1, kProfileCounts);
  const int ratio = RatioPermille(compute, profile_.At(point, rows));
  if (count_ == recent_.size()) DropOldest(1);
  ++count_;
  const Duration least{}, most{kMostNanoseconds};
  Recent(count_ - 1) = {.point = point,
                        .rows = rows,
                        .ratio_permille = ratio,
                        .compute = std::clamp(compute, least, most),
                        .overhead = std::clamp(overhead, least, most),
                        .warm = warm,
                        .at = at};
  Forget(at);
  MoveAnchor();
  // The machine is to be known before a point can be told from it.
  if (count_ > static_cast<size_t>(options_.regime)) {
    ObserveOwn(Recent(count_ - 1));
  }
  DropFormerRegime();
  Correct();
  Remember(at);
}

void LatencyModel::ObserveSuccess(PointId point, int rows, Duration compute, MonoTime at, Duration overhead) {
  AssumeProfileAt(RatioPermille(compute, profile_.At(point, rows)));
  Observe(point, rows, compute, at, overhead);
}

void LatencyModel::AssumeProfileAt(int permille) {
  count_ = 0;
  own_.assign(own_.size(), OwnCorrection());
  untried_ = PointSet();
  profile_permille_ = permille;
  ApplyOwn();
  Correct();
}

void LatencyModel::Remember(MonoTime now) {
  if (typical_permille_ > good_permille_ && SaturatingAdd(good_at_, options_.hope_memory) >= now) return;
  good_permille_ = typical_permille_;
  good_at_ = now;
}

void LatencyModel::Forget(MonoTime now) {
  bool forgot = false;
  for (OwnCorrection& own : own_) forgot |= ForgetOwn(own, now);
  if (forgot) CorrectOwn();
  size_t old = 0;
  while (old < count_ && SaturatingAdd(Recent(old).at, options_.memory) < now) ++old;
  DropOldest(old);
  if (forgot || old > 0) Correct();
}

void LatencyModel::DropOldest(size_t count) {
  oldest_ = (oldest_ + count) % recent_.size();
  count_ -= count;
}

int LatencyModel::CommonPart(const Observation& observation) const {
  const int64_t ratio = observation.ratio_permille;
  return static_cast<int>(std::clamp<int64_t>(ratio * kExact / own_permille(observation.point), 1, kMostPermille));
}

int LatencyModel::MedianOfSorting() { return UpperMedian(sorting_); }

int LatencyModel::CommonPartOfOthers(const Observation& latest) {
  sorting_.clear();
  for (size_t i = 0; i + 1 < count_; ++i) {
    const Observation& other = Recent(i);
    const bool as_large = other.rows <= kAboutAsLarge * latest.rows && latest.rows <= kAboutAsLarge * other.rows;
    if (as_large && other.point != latest.point) sorting_.push_back(CommonPart(other));
  }
  return sorting_.size() < static_cast<size_t>(options_.regime) ? 0 : MedianOfSorting();
}

void LatencyModel::ObserveOwn(Observation& latest) {
  OwnCorrection& own = own_[static_cast<size_t>(ToIndex(latest.point))];
  if (own.known()) std::shift_left(own.ran_at.begin(), own.ran_at.end(), 1);
  if (!own.known()) ++own.ran;
  own.ran_at[static_cast<size_t>(own.ran) - 1] = latest.at;
  const auto ratios = std::span(own.ratios).first(own.count);
  const auto warm = std::count_if(ratios.begin(), ratios.end(), [](const auto& ratio) { return ratio.warm; });
  const int common = latest.warm || warm < kEnoughWarm ? CommonPartOfOthers(latest) : 0;
  if (common > 0) {
    latest.own_too = true;
    if (own.count == kOwnWindow) std::shift_left(own.ratios.begin(), own.ratios.end(), 1);
    own.count = std::min(own.count + 1, kOwnWindow);
    const int64_t relative = int64_t{latest.ratio_permille} * kExact / common;
    own.ratios[own.count - 1] = {.permille = static_cast<int>(std::clamp<int64_t>(relative, 1, kMostPermille)),
                                 .warm = latest.warm,
                                 .at = latest.at};
    if (latest.warm && warm + 1 == kEnoughWarm) DropColdRatios(latest.point);
  }
  CorrectOwn();
}

void LatencyModel::DropColdRatios(PointId point) {
  OwnCorrection& own = own_[static_cast<size_t>(ToIndex(point))];
  const auto ratios = std::span(own.ratios).first(own.count);
  const auto end = std::remove_if(ratios.begin(), ratios.end(), [](const auto& ratio) { return !ratio.warm; });
  own.count = static_cast<size_t>(end - ratios.begin());
  for (size_t i = 0; i < count_; ++i) {
    if (Recent(i).point == point && !Recent(i).warm) Recent(i).own_too = false;
  }
}

bool LatencyModel::ForgetOwn(OwnCorrection& own, MonoTime now) const {
  const auto is_old = [&](MonoTime at) { return SaturatingAdd(at, options_.own_memory) < now; };
  bool forgot = false;
  for (; own.count > 0 && is_old(own.ratios[0].at); --own.count, forgot = true) {
    std::shift_left(own.ratios.begin(), own.ratios.end(), 1);
  }
  for (; own.ran > 0 && is_old(own.ran_at[0]); --own.ran, forgot = true) {
    std::shift_left(own.ran_at.begin(), own.ran_at.end(), 1);
  }
  return forgot;
}

void LatencyModel::MoveAnchor() {
  const PointId latest = Recent(count_ - 1).point;
  size_t ran = 0;
  for (size_t i = 0; i < count_; ++i) ran += Recent(i).point == latest;
  if (latest == anchor_ || 3 * ran <= 2 * count_) return;
  anchor_ = latest;
  // All stand to the new one as they stood to the one before.
  const int64_t part = own_permille(anchor_);
  for (OwnCorrection& own : own_) {
    for (size_t i = 0; i < own.count; ++i) {
      const int64_t ratio = own.ratios[i].permille * kExact / part;
      own.ratios[i].permille = static_cast<int>(std::clamp<int64_t>(ratio, 1, kMostPermille));
    }
  }
  CorrectOwn();
  Correct();  // the common part is of the new one now
}

void LatencyModel::TakeBackOwn(size_t count) {
  for (size_t i = count_ - count; i < count_; ++i) {
    OwnCorrection& own = own_[static_cast<size_t>(ToIndex(Recent(i).point))];
    if (Recent(i).own_too && own.count > 0) --own.count;
    Recent(i).own_too = false;
  }
  CorrectOwn();
}

int LatencyModel::OwnPart(const OwnCorrection& own) {
  if (own.count == 0) return kExact;
  const auto ratios = std::span(own.ratios).first(own.count);
  sorting_.clear();
  for (const OwnCorrection::Ratio& ratio : ratios) sorting_.push_back(ratio.permille);
  sorting_.resize(std::max(own.count, std::min(own.count + kProfileCountsForOwn, kOwnWindow)), kExact);
  const int part = MedianOfSorting();
  sorting_.clear();
  for (const OwnCorrection::Ratio& ratio : ratios) sorting_.push_back(std::abs(ratio.permille - part));
  const int64_t scatter = 2 * MedianOfSorting();
  const int64_t off = std::abs(part - kExact);
  const auto count = static_cast<int64_t>(own.count);
  const bool counts = off > kOwnPermille + kOwnFewPermille / count && off * off * count > 9 * scatter * scatter;
  return counts ? part : kExact;
}

void LatencyModel::CorrectOwn() {
  PointSet untried;
  bool changed = false;
  for (size_t p = 0; p < own_.size(); ++p) {
    OwnCorrection& own = own_[p];
    const PointId point = ToPointId(static_cast<int>(p));
    const int part = point == anchor_ ? kExact : OwnPart(own);
    if (part != own.permille && (part == kExact || std::abs(part - own.permille) > kOwnChangePermille)) {
      own.permille = part;
      changed = true;
    }
    if (!own.known()) untried = untried.With(point);
  }
  untried_ = untried.size() == static_cast<int>(own_.size()) ? PointSet() : untried;
  if (changed) ApplyOwn();
}

void LatencyModel::ApplyOwn() {
  for (size_t p = 0; p < own_.size(); ++p) {
    row_cost_[p] = Duration::max();
    for (size_t b = 0; b < profile_.latency[p].size(); ++b) {
      Duration& corrected = corrected_.latency[p][b];
      corrected = Scaled(profile_.latency[p][b], own_[p].permille) + ranked_additive_;
      row_cost_[p] = std::min(row_cost_[p], corrected / static_cast<int64_t>(b + 1));
    }
  }
  ranking_.Rank(corrected_);
  FillPredicted();
}

void LatencyModel::SelectLong() {
  by_length_.clear();
  for (size_t i = 0; i < count_; ++i) by_length_.push_back({Profiled(Recent(i)).count(), i});
  std::sort(by_length_.begin(), by_length_.end(), std::greater<>());  // of equal ones the newest first
  const int64_t least = LeastLong().count();
  sorting_.clear();
  for (const auto& [length, i] : by_length_) {
    if (length < least && sorting_.size() >= static_cast<size_t>(options_.regime)) break;
    sorting_.push_back(CommonPart(Recent(i)));
  }
}

int LatencyModel::ShareOfTypical(const Observation& observation) const {
  const Duration typical = Corrected(observation.point, observation.rows, typical_permille_) + interruption_;
  return RatioPermille(observation.compute, typical);
}

Duration LatencyModel::LeastLong() const {
  Duration longest{};
  for (size_t i = 0; i < count_; ++i) longest = std::max(longest, Profiled(Recent(i)));
  return longest / kAboutAsLarge;
}

size_t LatencyModel::FirstOfRegime() const {
  const Duration least = LeastLong();
  size_t first = count_;
  for (int found = 0; found < options_.regime; found += Profiled(Recent(first)) >= least) {
    if (first == 0) return count_;
    --first;
  }
  return first;
}

int LatencyModel::ShareSince(size_t first) {
  const Duration least = LeastLong();
  sorting_.clear();
  for (size_t i = first; i < count_; ++i) {
    if (Profiled(Recent(i)) >= least) sorting_.push_back(ShareOfTypical(Recent(i)));
  }
  return MedianOfSorting();
}

void LatencyModel::DropFormerRegime() {
  const size_t first = FirstOfRegime();
  if (first == count_) return;
  const int scatter = static_cast<int>(int64_t{scatter_permille_} * kExact / typical_permille_);
  const int least_change = std::max(kRegimePermille, 3 * scatter / 2);
  if (std::abs(ShareSince(first) - kExact) <= least_change) return;
  TakeBackOwn(count_ - first);
  const int now = ShareSince(first);  // of what is left to the machine
  // Nor may the last few of the former regime stay: they would count as the new one's tail until the window is full.
  const auto former = [&] {
    const int share = ShareOfTypical(Recent(0));
    return std::abs(share - kExact) < std::abs(share - now);
  };
  DropOldest(first);
  while (count_ > 1 && former()) DropOldest(1);
}

void LatencyModel::CorrectRatio() {
  SelectLong();
  const bool few = sorting_.size() < static_cast<size_t>(options_.regime);
  // The profile's own voice, as long as there are fewer batches than it counts as.
  sorting_.resize(std::max(sorting_.size(), kProfileCounts), profile_permille_);
  typical_permille_ = MedianOfSorting();
  for (int& ratio : sorting_) ratio = std::abs(ratio - typical_permille_);
  // A few batches have no scatter: their distance to a profile that may be wrong is none.
  scatter_permille_ = few ? 0 : 2 * MedianOfSorting();
  upper_permille_ = typical_permille_ + scatter_permille_;
}

Duration LatencyModel::RankedTime(size_t rank) { return ValueAtRank(sorting_times_, rank); }

void LatencyModel::CorrectAdditive() {
  if (count_ == 0) {
    interruption_ = typical_additive_ = upper_additive_ = Duration::zero();
  } else {
    const auto beyond = [this](const Observation& o, int permille) {
      return std::max(o.compute - Corrected(o.point, o.rows, permille), Duration::zero());
    };
    const size_t counted = std::max(count_, kProfileCounts);  // the profile has no additive part
    const auto ranked_of = [&](size_t rank, auto time) {
      sorting_times_.clear();
      for (size_t i = 0; i < count_; ++i) sorting_times_.push_back(time(Recent(i)));
      sorting_times_.resize(counted, Duration::zero());
      return RankedTime(rank);
    };
    interruption_ = ranked_of(counted / 2, [&](const Observation& o) { return beyond(o, typical_permille_); });
    typical_additive_ = interruption_ + ranked_of(counted / 2, [](const Observation& o) { return o.overhead; });
    const Duration upper =
        ranked_of(RankHolding(counted), [&](const Observation& o) { return o.overhead + beyond(o, upper_permille_); });
    const Duration most = typical_additive_ + std::min(most_tail_, kMostTime);
    upper_additive_ = std::clamp(upper, typical_additive_, most);
  }
  const Duration ranked(std::min(typical_additive_.count() * kExact / typical_permille_, kMostNanoseconds));
  Duration shortest = Duration::max();
  for (const std::vector<Duration>& of_point : profile_.latency) shortest = std::min(shortest, of_point.front());
  const Duration change(std::abs((ranked - ranked_additive_).count()));
  if (change <= ranked_additive_ / kAdditivePart || change <= shortest / kShortestPart) return;
  ranked_additive_ = ranked;
  ApplyOwn();
}

void LatencyModel::Correct() {
  const auto numbers = [this] {
    return std::tuple(typical_permille_, upper_permille_, typical_additive_, upper_additive_);
  };
  const auto before = numbers();
  CorrectRatio();
  CorrectAdditive();
  if (numbers() != before) FillPredicted();
}

void LatencyModel::FillPredicted() {
  for (size_t p = 0; p < profile_.points.size(); ++p) {
    for (int rows = 1; rows <= profile_.max_batch; ++rows) {
      const PointId point = ToPointId(static_cast<int>(p));
      predicted_[Index(point, rows)] = std::min(Corrected(point, rows, upper_permille_) + upper_additive_, kMostTime);
      typical_[Index(point, rows)] = std::min(Corrected(point, rows, typical_permille_) + typical_additive_, kMostTime);
    }
  }
}

}  // namespace anybit
