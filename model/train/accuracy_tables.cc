#include "model/train/accuracy_tables.h"

#include <vector>

#include "absl/strings/str_format.h"
#include "report/markdown_table.h"

namespace anybit::model::train {
namespace {

std::string Cell(const Spread& spread, double uncertainty, const char* sign) {
  if (spread.count == 0) return "-";
  if (spread.count == 1) return absl::StrFormat("%s%.2f", sign, spread.mean);
  return absl::StrFormat("%s%.2f ± %.2f", sign, spread.mean, uncertainty);
}

std::vector<std::string> Header(const std::vector<PointResult>& points) {
  std::vector<std::string> header = {"recipe"};
  for (const PointResult& point : points) header.push_back(point.name());
  return header;
}

}  // namespace

std::string AccuracyTable(std::span<const TrainingRun> runs, AccuracyOf which) {
  const std::vector<PointResult> points = PointsOf(runs);
  std::vector<std::vector<std::string>> rows = {Header(points)};
  for (const std::string& recipe : RecipesOf(runs)) {
    std::vector<std::string>& row = rows.emplace_back();
    row.push_back(recipe);
    for (const PointResult& point : points) {
      const Spread spread = AccuracySpread(runs, recipe, point.name(), which);
      row.push_back(Cell(spread, spread.deviation, /*sign=*/""));
    }
  }
  return report::MarkdownTable(rows);
}

std::string DifferenceTable(std::span<const TrainingRun> runs, AccuracyOf which, Uncertainty uncertainty) {
  const std::vector<PointResult> points = PointsOf(runs);
  const std::vector<std::string> recipes = RecipesOf(runs);
  std::vector<std::vector<std::string>> rows = {Header(points)};
  bool any = false;
  for (size_t r = 1; r < recipes.size(); ++r) {
    std::vector<std::string>& row = rows.emplace_back();
    row.push_back(recipes[r]);
    for (const PointResult& point : points) {
      const auto base = AccuracyBySeed(runs, recipes[0], point.name(), which);
      std::vector<double> differences;
      for (const auto& [seed, value] : AccuracyBySeed(runs, recipes[r], point.name(), which)) {
        if (const auto same = base.find(seed); same != base.end()) differences.push_back(value - same->second);
      }
      const Spread spread = SpreadOf(differences);
      any |= spread.count > 0;
      const double shown = uncertainty == Uncertainty::kInterval95 ? HalfInterval95(spread) : spread.deviation;
      row.push_back(Cell(spread, shown, spread.mean >= 0 ? "+" : ""));
    }
  }
  return any ? report::MarkdownTable(rows) : "";
}

}  // namespace anybit::model::train
