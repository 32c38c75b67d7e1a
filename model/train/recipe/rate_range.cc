#include "model/train/recipe/rate_range.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace anybit::model::train {

double RateRange::At(int64_t step) const {
  return low * std::pow(high / low, static_cast<double>(step) / static_cast<double>(steps - 1));
}

absl::StatusOr<RateRange> ParseRateRange(absl::string_view text, int64_t steps) {
  constexpr double kLowest = 1e-9, kHighest = 100;
  const std::pair<absl::string_view, absl::string_view> ends = absl::StrSplit(text, absl::MaxSplits(':', 1));
  RateRange range{.steps = steps};
  if (!absl::SimpleAtod(ends.first, &range.low) || !absl::SimpleAtod(ends.second, &range.high) ||
      !(range.low >= kLowest && range.low < range.high && range.high <= kHighest)) {
    return absl::InvalidArgumentError(absl::StrCat("range of learning rates '", text, "' is not LOW:HIGH with ",
                                                   kLowest, " <= LOW < HIGH <= ", kHighest));
  }
  if (steps < 20 || steps > 1'000'000) {
    return absl::InvalidArgumentError(absl::StrCat("a range test of ", steps, " steps is outside 20..1000000"));
  }
  return range;
}

RangeCurve::RangeCurve(const RateRange& range)
    : range_(range),
      reach_(static_cast<int64_t>(std::ceil(kSmoothing * static_cast<double>(range.steps)))),
      lowest_(INFINITY) {}

void RangeCurve::Add(double loss) {
  const double rate = range_.At(static_cast<int64_t>(losses_.size()));
  if (!std::isfinite(loss)) {
    if (!divergence_.has_value()) divergence_ = rate;
    return;
  }
  rates_.push_back(rate);
  losses_.push_back(loss);
  const int64_t complete = static_cast<int64_t>(losses_.size()) - 1 - reach_;
  if (complete < 0) return;
  const double mean = MeanAround(complete, std::min(reach_, complete));
  if (mean > kDiverged * lowest_ && !divergence_.has_value()) divergence_ = rates_[complete];
  lowest_ = std::min(lowest_, mean);
}

double RangeCurve::MeanAround(int64_t step, int64_t side) const {
  const auto middle = losses_.begin() + step;
  return std::accumulate(middle - side, middle + side + 1, 0.0) / static_cast<double>(2 * side + 1);
}

std::vector<double> RangeCurve::Smoothed() const {
  const auto count = static_cast<int64_t>(losses_.size());
  std::vector<double> smoothed;
  for (int64_t i = 0; i < count; ++i) smoothed.push_back(MeanAround(i, std::min({reach_, i, count - 1 - i})));
  return smoothed;
}

std::optional<double> RangeCurve::SteepestDescent() const {
  std::optional<double> rate;
  double furthest = 0;
  // Between complete means that have no loss in common but one; rates are equally far apart in their logarithm.
  for (int64_t i = 2 * reach_; i + 2 * reach_ < static_cast<int64_t>(losses_.size()); ++i) {
    const double fall = MeanAround(i - reach_, reach_) - MeanAround(i + reach_, reach_);
    if (!(fall > furthest)) continue;
    furthest = fall;
    rate = rates_[i];
  }
  return rate;
}

std::optional<RateSuggestion> SuggestedRate(const RangeCurve& curve) {
  const std::optional<double> steepest = curve.SteepestDescent(), divergence = curve.Divergence();
  if (!steepest.has_value() && !divergence.has_value()) return std::nullopt;
  if (!divergence.has_value() || (steepest.has_value() && *steepest <= *divergence / 10)) {
    return RateSuggestion{.rate = *steepest, .source = "steepest descent"};
  }
  return RateSuggestion{.rate = *divergence / 10, .source = "a tenth of the divergence"};
}

}  // namespace anybit::model::train
