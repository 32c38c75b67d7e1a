#include "model/train/rate_report.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "base/json.h"
#include "report/charts.h"

namespace anybit::model::train {
namespace {

report::Axis RateAxis(const RateRange& range) {
  report::Axis axis{.low = range.low, .high = range.high, .logarithmic = true};
  for (int decade = static_cast<int>(std::ceil(std::log10(range.low) - 1e-9));
       std::pow(10, decade) <= range.high * 1.001; ++decade) {
    axis.marks.emplace_back(std::pow(10, decade), absl::StrFormat("%g", std::pow(10, decade)));
  }
  return axis;
}

void AddMark(const std::string& name, double rate, int colour, report::Figure& figure) {
  report::Panel& panel = figure.panels.front();
  panel.lines.push_back({.colour = report::LineColour(colour),
                         .dashed = true,
                         .dots = false,
                         .points = {{rate, panel.y.low}, {rate, panel.y.high}}});
  figure.legend.push_back(
      {.name = absl::StrFormat("%s %.3g", name, rate), .colour = report::LineColour(colour), .dashed = true});
}

}  // namespace

std::string RateJson(const RangeCurve& curve, const std::string& phase) {
  Json json;
  json["phase"] = phase;
  if (const std::optional<RateSuggestion> suggested = SuggestedRate(curve); suggested.has_value()) {
    json["suggested"] = suggested->rate;
    json["source"] = suggested->source;
  }
  if (curve.SteepestDescent().has_value()) json["steepest_descent"] = *curve.SteepestDescent();
  if (curve.Divergence().has_value()) json["divergence"] = *curve.Divergence();
  json["rates"] = curve.rates();
  json["losses"] = curve.losses();
  json["smoothed"] = curve.Smoothed();
  return json.dump(1) + "\n";
}

std::string RateFigure(const RangeCurve& curve, const std::string& caption) {
  const std::vector<double> smoothed = curve.Smoothed();
  report::Figure figure{.columns = 1, .panel_width = 560, .caption = caption};
  report::Panel& panel = figure.panels.emplace_back();
  panel.title = "loss against learning rate";
  panel.x = RateAxis(curve.range());
  report::Line mean{.colour = report::LineColour(0), .bold = true, .dots = false};
  report::Line steps{.colour = "#bbb", .joined = false};
  for (size_t i = 0; i < smoothed.size(); ++i) {
    mean.points.emplace_back(curve.rates()[i], smoothed[i]);
    steps.points.emplace_back(curve.rates()[i], curve.losses()[i]);
  }
  if (!smoothed.empty()) {
    // A diverged loss would flatten all before it.
    const auto [lowest, highest] = std::minmax_element(smoothed.begin(), smoothed.end());
    const double top = std::min(*highest, std::max(1.2 * smoothed.front(), 2.2 * *lowest));
    const double bottom = *std::min_element(curve.losses().begin(), curve.losses().end());
    panel.y = report::RoundAxis(bottom, std::max(top, bottom + 1e-6));
  }
  panel.lines = {std::move(mean)};
  figure.legend = {{.name = "mean of neighbouring steps", .colour = report::LineColour(0), .bold = true},
                   {.name = "one step", .colour = "#bbb"}};
  if (curve.SteepestDescent().has_value()) AddMark("steepest descent", *curve.SteepestDescent(), 1, figure);
  if (curve.Divergence().has_value()) {
    AddMark("divergence", *curve.Divergence(), 2, figure);
    AddMark("a tenth of it", *curve.Divergence() / 10, 3, figure);
  }
  panel.lines.push_back(std::move(steps));
  return report::DrawSvg(figure);
}

std::string RateText(const RangeCurve& curve) {
  const std::optional<RateSuggestion> suggested = SuggestedRate(curve);
  const auto value = [](const std::optional<double>& rate) {
    return rate.has_value() ? absl::StrFormat("%.3g", *rate) : std::string("none");
  };
  const std::string found =
      absl::StrFormat("steepest descent %s, divergence %s", value(curve.SteepestDescent()), value(curve.Divergence()));
  if (!suggested.has_value()) return "no learning rate to suggest; " + found;
  return absl::StrFormat("suggested learning rate %.3g by %s; %s", suggested->rate, suggested->source, found);
}

}  // namespace anybit::model::train
