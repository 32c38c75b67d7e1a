#include "model/train/run_statistics.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>
#include <set>

namespace anybit::model::train {
namespace {

int64_t ImagesOf(const PointResult& point, AccuracyOf which) {
  return which == AccuracyOf::kTest ? point.test_images() : point.held_out_images();
}

double AccuracyOfPoint(const PointResult& point, AccuracyOf which) {
  return which == AccuracyOf::kTest ? point.test_accuracy() : point.held_out_accuracy();
}

}  // namespace

Spread SpreadOf(const std::vector<double>& values) {
  Spread spread{.count = static_cast<int64_t>(values.size())};
  if (values.empty()) return spread;
  const double count = static_cast<double>(values.size());
  spread.mean = std::accumulate(values.begin(), values.end(), 0.0) / count;
  double squares = 0;
  for (const double value : values) squares += (value - spread.mean) * (value - spread.mean);
  if (spread.count > 1) spread.deviation = std::sqrt(squares / (count - 1));
  return spread;
}

double HalfInterval95(const Spread& spread) {
  if (spread.count < 2) return 0;
  // The 97.5 % quantile of Student's t, by degrees of freedom from 1; from 30 on it is within 4 % of the normal one.
  constexpr double kQuantiles[] = {12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
                                   2.201,  2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
                                   2.080,  2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042};
  const size_t freedom = std::min<size_t>(static_cast<size_t>(spread.count) - 1, std::size(kQuantiles));
  return kQuantiles[freedom - 1] * spread.deviation / std::sqrt(static_cast<double>(spread.count));
}

void AddNew(std::vector<std::string>& names, const std::string& name) {
  if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
}

std::vector<std::string> RecipesOf(std::span<const TrainingRun> runs) {
  std::vector<std::string> names;
  for (const TrainingRun& run : runs) AddNew(names, run.recipe());
  return names;
}

std::vector<PointResult> PointsOf(std::span<const TrainingRun> runs) {
  std::vector<PointResult> points;
  std::set<std::string> seen;
  for (const TrainingRun& run : runs) {
    for (const PointResult& point : run.points()) {
      if (seen.insert(point.name()).second) points.push_back(point);
    }
  }
  const auto bits = [](const PointResult& p) { return p.weight_bits() + p.activation_bits(); };
  std::stable_sort(points.begin(), points.end(),
                   [&](const PointResult& a, const PointResult& b) { return bits(a) > bits(b); });
  return points;
}

bool HasAccuracy(std::span<const TrainingRun> runs, AccuracyOf which) {
  return std::any_of(runs.begin(), runs.end(), [&](const TrainingRun& run) {
    return std::any_of(run.points().begin(), run.points().end(),
                       [&](const PointResult& point) { return ImagesOf(point, which) > 0; });
  });
}

Spread AccuracySpread(std::span<const TrainingRun> runs, const std::string& recipe, const std::string& name,
                      AccuracyOf which) {
  std::vector<double> values;
  for (const TrainingRun& run : runs) {
    if (run.recipe() != recipe) continue;
    for (const PointResult& point : run.points()) {
      if (point.name() == name && ImagesOf(point, which) > 0) values.push_back(100 * AccuracyOfPoint(point, which));
    }
  }
  return SpreadOf(values);
}

std::map<uint64_t, double> AccuracyBySeed(std::span<const TrainingRun> runs, const std::string& recipe,
                                          const std::string& name, AccuracyOf which) {
  std::map<uint64_t, double> values;
  for (const TrainingRun& run : runs) {
    if (!run.has_seed()) continue;
    const Spread one = AccuracySpread({&run, 1}, recipe, name, which);
    if (one.count > 0) values[run.seed()] = one.mean;
  }
  return values;
}

std::vector<std::string> BestRecipes(std::span<const TrainingRun> runs, size_t count) {
  std::vector<std::string> recipes = RecipesOf(runs);
  if (!recipes.empty()) recipes.erase(recipes.begin());
  std::map<std::string, double> means;
  for (const std::string& recipe : recipes) {
    std::vector<double> values;
    for (const TrainingRun& run : runs) {
      if (run.recipe() != recipe) continue;
      for (const PointResult& point : run.points()) values.push_back(point.held_out_accuracy());
    }
    means[recipe] = SpreadOf(values).mean;
  }
  std::stable_sort(recipes.begin(), recipes.end(),
                   [&](const std::string& a, const std::string& b) { return means[a] > means[b]; });
  recipes.resize(std::min(count, recipes.size()));
  return recipes;
}

}  // namespace anybit::model::train
