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

// The mixture of two uniform points that is the hull at a cost: of `high` the share `share`.
struct HullPlace {
  const SearchedPoint* low;
  const SearchedPoint* high;
  double share;
  double accuracy;
};

std::optional<HullPlace> PlaceAt(const SearchReport& report, double cost) {
  std::optional<HullPlace> best;
  const auto offer = [&](const SearchedPoint& low, const SearchedPoint& high, double share) {
    const double accuracy = AccuracyOf(low) + share * (AccuracyOf(high) - AccuracyOf(low));
    if (!best.has_value() || accuracy > best->accuracy) best = {&low, &high, share, accuracy};
  };
  for (const SearchedPoint& low : report.points) {
    if (low.budget.has_value() || low.cost > cost) continue;
    offer(low, low, 0);
    for (const SearchedPoint& high : report.points) {
      if (high.budget.has_value() || high.cost <= cost) continue;
      offer(low, high, (cost - low.cost) / (high.cost - low.cost));
    }
  }
  return best;
}

// The variance of the mean over rows of `point`'s answer less those of the mixture, or nothing where rows are unknown.
std::optional<double> PairedVariance(const SearchedPoint& point, const HullPlace& hull) {
  const size_t rows = point.right.size();
  if (rows < 2 || hull.low->right.size() != rows || hull.high->right.size() != rows) return std::nullopt;
  double sum = 0, squares = 0;
  for (size_t row = 0; row < rows; ++row) {
    const double mixture = (1 - hull.share) * hull.low->right[row] + hull.share * hull.high->right[row];
    const double difference = point.right[row] - mixture;
    sum += difference;
    squares += difference * difference;
  }
  const auto count = static_cast<double>(rows);
  return (squares - sum * sum / count) / (count - 1) / count;
}

std::string BestText(const SearchedPoint& point) {
  if (!point.best.has_value()) return "";
  return absl::StrFormat("%+.4f of %d", point.held_out.loss - point.best->loss, point.best->routes);
}

Json ToJson(const SearchReport& report, const SearchedPoint& point) {
  Json json = {{"name", point.name},
               {"route", point.route},
               {"cost", point.cost},
               {"held_out_loss", point.held_out.loss},
               {"held_out_accuracy", point.held_out.accuracy}};
  if (!point.method.empty()) json["method"] = point.method;
  if (point.budget.has_value()) json["budget"] = *point.budget;
  if (point.test.has_value()) json["test_accuracy"] = *point.test;
  const std::optional<HullMargin> margin = MarginOf(report, point);
  if (point.budget.has_value() && margin.has_value()) {
    json["above_hull"] = margin->above;
    json["two_standard_errors"] = margin->two_errors;
  }
  if (point.best.has_value()) {
    json["best_known"] = {{"routes", point.best->routes},
                          {"held_out_loss", point.best->loss},
                          {"held_out_accuracy", point.best->accuracy}};
  }
  return json;
}

// One line for each method, in the order of their first points.
std::vector<report::Line> SearchedLines(const SearchReport& report, std::vector<report::LegendEntry>& legend) {
  std::vector<report::Line> lines;
  std::vector<std::string> methods;
  for (const SearchedPoint& point : report.points) {
    if (!point.budget.has_value()) continue;
    const std::string& method = point.method.empty() ? report.method : point.method;
    size_t place = std::find(methods.begin(), methods.end(), method) - methods.begin();
    if (place == methods.size()) {
      methods.push_back(method);
      // The second colour is that of the uniform points.
      const std::string colour = report::LineColour(static_cast<int>(place == 0 ? 0 : place + 1));
      lines.push_back({.colour = colour, .joined = false});
      legend.push_back({.name = absl::StrCat("searched, ", method), .colour = colour});
    }
    lines[place].points.emplace_back(point.cost, 100 * AccuracyOf(point));
  }
  return lines;
}

}  // namespace

double AccuracyOf(const SearchedPoint& point) { return point.test.value_or(point.held_out.accuracy); }

std::optional<double> HullAt(const SearchReport& report, double cost) {
  const std::optional<HullPlace> place = PlaceAt(report, cost);
  if (!place.has_value()) return std::nullopt;
  return place->accuracy;
}

std::optional<HullMargin> MarginOf(const SearchReport& report, const SearchedPoint& point) {
  const std::optional<HullPlace> hull = PlaceAt(report, point.cost);
  const int64_t images = ImagesOf(report, point);
  if (!hull.has_value() || images == 0) return std::nullopt;
  const double accuracy = AccuracyOf(point);
  const double independent =
      (accuracy * (1 - accuracy) + hull->accuracy * (1 - hull->accuracy)) / static_cast<double>(images);
  const double variance = PairedVariance(point, *hull).value_or(independent);
  return HullMargin{.above = accuracy - hull->accuracy, .two_errors = 2 * std::sqrt(variance)};
}

std::string ReportTable(const SearchReport& report) {
  std::vector<std::vector<std::string>> rows = {{"point", "budget", "cost", "held-out loss", "held out", "test",
                                                 "above the hull", "above the best known", "route"}};
  for (const SearchedPoint& point : report.points) {
    const std::optional<HullMargin> margin =
        point.budget.has_value() ? MarginOf(report, point) : std::optional<HullMargin>();
    rows.push_back({point.name, point.budget.has_value() ? CostText(*point.budget, report.unit) : "",
                    CostText(point.cost, report.unit), absl::StrFormat("%.4f", point.held_out.loss),
                    Percent(point.held_out.accuracy), point.test.has_value() ? Percent(*point.test) : "",
                    margin.has_value()
                        ? absl::StrFormat("%+.2f (2 errors: %.2f)", 100 * margin->above, 100 * margin->two_errors)
                        : "",
                    BestText(point), point.budget.has_value() ? point.route : ""});
  }
  std::string text = report::MarkdownTable(rows);
  if (report.agreement.has_value()) {
    absl::StrAppendFormat(&text, "\nKendall's tau of summed penalties and losses: %.2f over %d routes\n",
                          report.agreement->tau, report.agreement->routes);
  }
  return text;
}

std::string ReportJson(const SearchReport& report) {
  Json points = Json::array();
  for (const SearchedPoint& point : report.points) points.push_back(ToJson(report, point));
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
  if (report.agreement.has_value()) {
    root["agreement"] = {{"routes", report.agreement->routes}, {"kendall_tau", report.agreement->tau}};
  }
  return root.dump(1) + "\n";
}

std::string ReportFigure(const SearchReport& report) {
  report::Line hull{.name = "", .colour = report::LineColour(1), .dots = false};
  report::Line uniform{.colour = report::LineColour(1), .joined = false};
  report::Figure figure{.columns = 1, .panel_width = 560};
  std::vector<report::Line> lines = SearchedLines(report, figure.legend);
  figure.legend.push_back({.name = "uniform points and their hull", .colour = uniform.colour});
  double low = 1, high = 0, least = report.points.front().cost, most = least;
  for (const SearchedPoint& point : report.points) {
    if (!point.budget.has_value()) uniform.points.emplace_back(point.cost, 100 * AccuracyOf(point));
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
  figure.caption = absl::StrCat("Network ", report.network, ". Cost in ", report.unit, ".");
  report::Panel& panel = figure.panels.emplace_back();
  panel.title = absl::StrCat("top-1, %, of the ", report.test_images > 0 ? "test set" : "held-out images",
                             " against cost, ", report.unit);
  const double margin = std::max(1e-9, 0.05 * (most - least));
  panel.x = report::RoundAxis(least - margin, most + margin);
  panel.y = report::RoundAxis(100 * low - 0.1, std::min(100.0, 100 * high + 0.1));
  lines.push_back(std::move(uniform));
  lines.push_back(std::move(hull));
  panel.lines = std::move(lines);
  return report::DrawSvg(figure);
}

}  // namespace anybit::model::train
