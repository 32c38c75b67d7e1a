// The accuracies of several training runs, by recipe and point, with their spread over seeds.
//
// Recipes and points are in the order in which the runs first name them. Runs with the same recipe count as seeds of
// it; a recipe that trains one network per point is several runs with the same name.
#ifndef ANYBIT_MODEL_TRAIN_RUN_STATISTICS_H_
#define ANYBIT_MODEL_TRAIN_RUN_STATISTICS_H_

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "model/train/run_file.h"

namespace anybit::model::train {

enum class AccuracyOf { kHeldOut, kTest };

struct Spread {
  double mean = 0;
  double deviation = 0;  // sample standard deviation; 0 for a single value
  int64_t count = 0;     // of values
};

Spread SpreadOf(const std::vector<double>& values);

// Half of the width of the 95 % confidence interval of the mean, by Student's t; 0 for fewer than two values.
double HalfInterval95(const Spread& spread);

// Appends `name` if it is not among `names`.
void AddNew(std::vector<std::string>& names, const std::string& name);

std::vector<std::string> RecipesOf(std::span<const TrainingRun> runs);

// The points of all runs, without repetition, ordered by falling number of bits.
std::vector<PointResult> PointsOf(std::span<const TrainingRun> runs);

// Whether any point of any run was measured on these images.
bool HasAccuracy(std::span<const TrainingRun> runs, AccuracyOf which);

// In percent, of the point called `name` over the runs of `recipe` that measured it.
Spread AccuracySpread(std::span<const TrainingRun> runs, const std::string& recipe, const std::string& name,
                      AccuracyOf which);

// The same by seed, of the runs that have a seed.
std::map<uint64_t, double> AccuracyBySeed(std::span<const TrainingRun> runs, const std::string& recipe,
                                          const std::string& name, AccuracyOf which);

// The `count` recipes of the highest mean held-out accuracy over points and seeds, best first, without the first
// recipe, with which the others are compared. Of equal ones the earlier comes first.
std::vector<std::string> BestRecipes(std::span<const TrainingRun> runs, size_t count);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_RUN_STATISTICS_H_
