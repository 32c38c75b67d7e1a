#include "model/train/search/search_report.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/json.h"
#include "report/charts.h"
#include "report/markdown_table.h"

namespace anybit::model::train {
namespace {

std::string Percent(double share) { return absl::StrFormat("%.2f %%", 100 * share); }

std::string CostText(double cost, const std::string& unit) {
  return unit == "us" ? absl::StrFormat("%.1f us", cost) : absl::StrFormat("%.4g %s", cost, unit);
}

int64_t ImagesOf(const SearchReport& report, const SearchedPoint& point) {
  return point.test.has_value() ? report.test_images : report.held_out_images;
}

}  // namespace

double AccuracyOf(const SearchedPoint& point) { return point.test.value_or(point.held_out.accuracy); }

std::optional<double> HullAt(const SearchReport& report, double cost) {
  std::optional<double> best;
  const auto offer = [&](double accuracy) { best = std::max(best.value_or(accuracy), accuracy); };
  for (const SearchedPoint& low : report.points) {
    if (low.budget.has_value() || low.cost > cost) continue;
    offer(AccuracyOf(low));
    for (const SearchedPoint& high : report.points) {
      if (high.budget.has_value() || high.cost <= cost) continue;
      const double share = (cost - low.cost) / (high.cost - low.cost);
      offer(AccuracyOf(low) + share * (AccuracyOf(high) - AccuracyOf(low)));
    }
  }
  return best;
}

std::optional<HullMargin> MarginOf(const SearchReport& report, const SearchedPoint& point) {
  const std::optional<double> hull = HullAt(report, point.cost);
  const int64_t images = ImagesOf(report, point);
  if (!hull.has_value() || images == 0) return std::nullopt;
  const double accuracy = AccuracyOf(point);
  const double variance = (accuracy * (1 - accuracy) + *hull * (1 - *hull)) / static_cast<double>(images);
  return HullMargin{.above = accuracy - *hull, .two_errors = 2 * std::sqrt(variance)};
}

std::string ReportTable(const SearchReport& report) {
  std::vector<std::vector<std::string>> rows = {
      {"point", "budget", "cost", "held-out loss", "held out", "test", "above the hull", "route"}};
  for (const SearchedPoint& point : report.points) {
    const std::optional<HullMargin> margin =
        point.budget.has_value() ? MarginOf(report, point) : std::optional<HullMargin>();
    rows.push_back({point.name, point.budget.has_value() ? CostText(*point.budget, report.unit) : "",
                    CostText(point.cost, report.unit), absl::StrFormat("%.4f", point.held_out.loss),
                    Percent(point.held_out.accuracy), point.test.has_value() ? Percent(*point.test) : "",
                    margin.has_value()
                        ? absl::StrFormat("%+.2f (2 errors: %.2f)", 100 * margin->above, 100 * margin->two_errors)
                        : "",
                    point.budget.has_value() ? point.route : ""});
  }
  return report::MarkdownTable(rows);
}

std::string ReportJson(const SearchReport& report) {
  Json points = Json::array();
  for (const SearchedPoint& point : report.points) {
    Json json = {{"name", point.name},
                 {"route", point.route},
                 {"cost", point.cost},
                 {"held_out_loss", point.held_out.loss},
                 {"held_out_accuracy", point.held_out.accuracy}};
    if (point.budget.has_value()) json["budget"] = *point.budget;
    if (point.test.has_value()) json["test_accuracy"] = *point.test;
    const std::optional<HullMargin> margin = MarginOf(report, point);
    if (point.budget.has_value() && margin.has_value()) {
      json["above_hull"] = margin->above;
      json["two_standard_errors"] = margin->two_errors;
    }
    points.push_back(json);
  }
  Json root = {{"method", report.method},
               {"network", report.network},
               {"unit", report.unit},
               {"seed", report.seed},
               {"calibration_images", report.calibration_images},
               {"held_out_images", report.held_out_images},
               {"test_images", report.test_images},
               {"routes", report.routes},
               {"resumed_routes", report.resumed},
               {"seconds", report.seconds},
               {"processor_seconds", report.processor_seconds},
               {"points", points}};
  Json penalties = Json::array();
  for (size_t layer = 0; layer < report.penalties.size(); ++layer) {
    penalties.push_back({{"node", report.layers[layer]}, {"by_rung", report.penalties[layer]}});
  }
  root["penalties"] = penalties;
  return root.dump(1) + "\n";
}

std::string ReportFigure(const SearchReport& report) {
  report::Line hull{.name = "", .colour = report::LineColour(1), .dots = false};
  report::Line uniform{.colour = report::LineColour(1), .joined = false};
  report::Line searched{.colour = report::LineColour(0), .joined = false};
  double low = 1, high = 0, least = report.points.front().cost, most = least;
  for (const SearchedPoint& point : report.points) {
    (point.budget.has_value() ? searched : uniform).points.emplace_back(point.cost, 100 * AccuracyOf(point));
    low = std::min(low, AccuracyOf(point));
    high = std::max(high, AccuracyOf(point));
    least = std::min(least, point.cost);
    most = std::max(most, point.cost);
  }
  constexpr int kSegments = 200;  // of the hull, whose corners then lie within a pixel or two
  for (int i = 0; i <= kSegments; ++i) {
    const double cost = least + (most - least) * i / kSegments;
    if (const std::optional<double> at = HullAt(report, cost)) hull.points.emplace_back(cost, 100 * *at);
  }
  report::Figure figure{.columns = 1, .panel_width = 560};
  figure.legend = {{.name = absl::StrCat("searched, ", report.method), .colour = searched.colour},
                   {.name = "uniform points and their hull", .colour = uniform.colour}};
  figure.caption = absl::StrCat("Network ", report.network, ". Cost in ", report.unit, ".");
  report::Panel& panel = figure.panels.emplace_back();
  panel.title = absl::StrCat("top-1, %, of the ", report.test_images > 0 ? "test set" : "held-out images",
                             " against cost, ", report.unit);
  const double margin = std::max(1e-9, 0.05 * (most - least));
  panel.x = report::RoundAxis(least - margin, most + margin);
  panel.y = report::RoundAxis(100 * low - 0.1, std::min(100.0, 100 * high + 0.1));
  panel.lines = {std::move(searched), std::move(uniform), std::move(hull)};
  return report::DrawSvg(figure);
}

}  // namespace anybit::model::train
