#include "scheduler/latency/own_corrections.h"

#include <algorithm>
#include <cstdlib>
#include <span>
#include <utility>

#include "base/statistics.h"

namespace anybit::scheduler {
namespace {

// The profile counts as this many ratios beside a point's own: two batches that disagree with it are outvoted.
constexpr size_t kProfileRatios = 2;

// A correction applies only above kMinCorrectionPermille plus kFewRatiosPermille divided by the number of ratios, and
// above three standard errors of their median. Below, it is noise: points that were as profiled got none in tests with
// 20 % scatter.
constexpr int kMinCorrectionPermille = 60;
constexpr int kFewRatiosPermille = 300;
constexpr int64_t kMinStandardErrorsSquared = 9;

// A correction moves only by more than this, since each change ranks all points anew.
constexpr int kMinChangePermille = 30;

// With this many warm batches a point is judged by warm batches alone.
constexpr std::ptrdiff_t kEnoughWarm = 3;

// The anchor moves to a point that ran more than kAnchorShare / kAnchorOf of the window.
constexpr size_t kAnchorShare = 2;
constexpr size_t kAnchorOf = 3;

}  // namespace

OwnCorrections::OwnCorrections(size_t points, size_t window, size_t least_others, Duration memory)
    : least_others_(least_others), memory_(memory), points_(points) {
  sorting_.reserve(std::max(window, kRatios));
}

void OwnCorrections::Observe(ObservationWindow& window) {
  Observation& latest = window.newest();
  OwnCorrection& own = Of(latest.point);
  own.trials.Push(latest.at);
  std::ptrdiff_t warm = 0;
  for (size_t i = 0; i < own.ratios.size(); ++i) warm += own.ratios[i].warm;
  const int common = latest.warm || warm < kEnoughWarm ? CommonPartOfOthers(window) : 0;
  if (common > 0) {
    latest.in_own = true;
    own.ratios.Push({.permille = ClampPermille(int64_t{latest.ratio_permille} * kUnityPermille / common),
                     .warm = latest.warm,
                     .at = latest.at});
    if (latest.warm && warm + 1 == kEnoughWarm) DropColdRatios(latest.point, window);
  }
  Correct();
}

int OwnCorrections::CommonPartOfOthers(const ObservationWindow& window) {
  const Observation& latest = window.newest();
  sorting_.clear();
  for (size_t i = 0; i + 1 < window.size(); ++i) {
    const Observation& other = window[i];
    const bool comparable =
        other.rows <= kComparableFactor * latest.rows && latest.rows <= kComparableFactor * other.rows;
    if (comparable && other.point != latest.point) sorting_.push_back(CommonPart(other));
  }
  return sorting_.size() < least_others_ ? 0 : UpperMedian(sorting_);
}

void OwnCorrections::DropColdRatios(PointId point, ObservationWindow& window) {
  Of(point).ratios.DropIf([](const Ratio& ratio) { return !ratio.warm; });
  for (size_t i = 0; i < window.size(); ++i) {
    if (window[i].point == point && !window[i].warm) window[i].in_own = false;
  }
}

bool OwnCorrections::MoveAnchor(const ObservationWindow& window) {
  const PointId latest = window.newest().point;
  size_t ran = 0;
  for (size_t i = 0; i < window.size(); ++i) ran += window[i].point == latest;
  if (latest == anchor_ || kAnchorOf * ran <= kAnchorShare * window.size()) return false;
  anchor_ = latest;
  // All stand to the new anchor as they stood to the former.
  const int64_t part = permille(anchor_);
  for (OwnCorrection& own : points_) {
    for (size_t i = 0; i < own.ratios.size(); ++i) {
      int& ratio = own.ratios[i].permille;
      ratio = ClampPermille(int64_t{ratio} * kUnityPermille / part);
    }
  }
  Correct();
  return true;
}

void OwnCorrections::TakeBack(ObservationWindow& window, size_t count) {
  for (size_t i = window.size() - count; i < window.size(); ++i) {
    OwnCorrection& own = Of(window[i].point);
    if (window[i].in_own && !own.ratios.empty()) own.ratios.DropNewest(1);
    window[i].in_own = false;
  }
  Correct();
}

bool OwnCorrections::Forget(MonoTime now) {
  const auto is_old = [&](MonoTime at) { return SaturatingAdd(at, memory_) < now; };
  bool forgot = false;
  for (OwnCorrection& own : points_) {
    for (; !own.ratios.empty() && is_old(own.ratios.oldest().at); forgot = true) own.ratios.DropOldest(1);
    for (; !own.trials.empty() && is_old(own.trials.oldest()); forgot = true) own.trials.DropOldest(1);
  }
  if (forgot) Correct();
  return forgot;
}

void OwnCorrections::Clear() {
  for (OwnCorrection& own : points_) {
    own.ratios.Clear();
    own.trials.Clear();
    own.permille = kUnityPermille;
  }
  untried_ = PointSet();
  changed_ = true;
}

int OwnCorrections::Judge(const Ring<Ratio>& ratios) {
  if (ratios.empty()) return kUnityPermille;
  sorting_.clear();
  for (size_t i = 0; i < ratios.size(); ++i) sorting_.push_back(ratios[i].permille);
  sorting_.resize(std::min(ratios.size() + kProfileRatios, kRatios), kUnityPermille);
  const int part = UpperMedian(sorting_);
  sorting_.clear();
  for (size_t i = 0; i < ratios.size(); ++i) sorting_.push_back(std::abs(ratios[i].permille - part));
  const int64_t scatter = 2 * UpperMedian(sorting_);
  const int64_t off = std::abs(part - kUnityPermille);
  const auto count = static_cast<int64_t>(ratios.size());
  const bool counts = off > kMinCorrectionPermille + kFewRatiosPermille / count &&
                      off * off * count > kMinStandardErrorsSquared * scatter * scatter;
  return counts ? part : kUnityPermille;
}

void OwnCorrections::Correct() {
  PointSet untried;
  for (size_t p = 0; p < points_.size(); ++p) {
    OwnCorrection& own = points_[p];
    const PointId point = ToPointId(static_cast<int>(p));
    const int part = point == anchor_ ? kUnityPermille : Judge(own.ratios);
    if (part != own.permille && (part == kUnityPermille || std::abs(part - own.permille) > kMinChangePermille)) {
      own.permille = part;
      changed_ = true;
    }
    if (!own.tried()) untried = untried.With(point);
  }
  untried_ = untried.size() == static_cast<int>(points_.size()) ? PointSet() : untried;
}

bool OwnCorrections::TakeChanged() { return std::exchange(changed_, false); }

}  // namespace anybit::scheduler
