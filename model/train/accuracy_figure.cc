#include "model/train/accuracy_figure.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "report/charts.h"

namespace anybit::model::train {
namespace {

// On the axis of bits: to the right of 8.
constexpr double kFullPrecisionPlace = 16, kBfloat16Place = 11.5;

double PlaceOf(const PointResult& point) {
  if (point.weight_bits() == kFullPrecisionBits) return kFullPrecisionPlace;
  if (point.weight_bits() == 16) return kBfloat16Place;
  return (point.weight_bits() + point.activation_bits()) / 2;
}

// Whether `point` has fitted ranges (a name that ends in f) and another of `points` is so near that a line through both
// would have a kink.
bool StandsApart(const PointResult& point, const std::vector<PointResult>& points) {
  return absl::EndsWith(point.name(), "f") && std::any_of(points.begin(), points.end(), [&](const PointResult& other) {
           return other.name() != point.name() && std::abs(PlaceOf(other) - PlaceOf(point)) < 0.5;
         });
}

report::Axis BitsAxis(const std::vector<PointResult>& points) {
  double low = 8, high = 1;
  for (const PointResult& point : points) {
    low = std::min(low, PlaceOf(point));
    high = std::max(high, PlaceOf(point));
  }
  report::Axis axis{.low = low * 0.93, .high = high * 1.07, .logarithmic = true};
  for (const int bits : {1, 2, 3, 4, 6, 8}) {
    if (bits >= axis.low && bits <= axis.high) axis.marks.emplace_back(bits, absl::StrCat(bits));
  }
  for (const PointResult& point : points) {
    if (PlaceOf(point) == kBfloat16Place) axis.marks.emplace_back(kBfloat16Place, "bf16");
  }
  if (high == kFullPrecisionPlace) axis.marks.emplace_back(kFullPrecisionPlace, "fp32");
  return axis;
}

}  // namespace

std::string AccuracyFigure(std::span<const TrainingRun> runs, AccuracyOf which, const std::string& caption) {
  report::Figure figure{.columns = 1, .panel_width = 560, .caption = caption};
  report::Panel& panel = figure.panels.emplace_back();
  panel.title = absl::StrCat("top-1, %, of the ", which == AccuracyOf::kTest ? "test set" : "held-out images",
                             " against bits (log2 of levels; mean of weights and activations)");
  std::vector<PointResult> points = PointsOf(runs);
  panel.x = BitsAxis(points);
  std::reverse(points.begin(), points.end());  // lines run from left to right
  double low = 100, high = 0;
  for (const std::string& recipe : RecipesOf(runs)) {
    // The legend alone has the recipe's name, which may be longer than the space beside a panel.
    const std::string colour = report::LineColour(static_cast<int>(figure.legend.size()));
    report::Line joined{.colour = colour}, apart{.colour = colour, .joined = false};
    std::vector<PointResult> own = points;
    std::erase_if(own, [&](const PointResult& p) { return AccuracySpread(runs, recipe, p.name(), which).count == 0; });
    for (const PointResult& point : own) {
      const Spread spread = AccuracySpread(runs, recipe, point.name(), which);
      report::Line& line = StandsApart(point, own) ? apart : joined;
      line.points.emplace_back(PlaceOf(point), spread.mean);
      line.spreads.push_back(spread.deviation);
      low = std::min(low, spread.mean - spread.deviation);
      high = std::max(high, spread.mean + spread.deviation);
    }
    if (joined.points.empty() && apart.points.empty()) continue;
    figure.legend.push_back({.name = recipe, .colour = colour});
    if (!joined.points.empty()) panel.lines.push_back(std::move(joined));
    if (!apart.points.empty()) panel.lines.push_back(std::move(apart));
  }
  panel.y = report::RoundAxis(std::max(low, 0.0), std::min(high, 100.0));
  return report::DrawSvg(figure);
}

}  // namespace anybit::model::train
