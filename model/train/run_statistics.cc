#include "model/train/run_statistics.h"

#include <algorithm>
#include <cmath>
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

}  // namespace anybit::model::train
