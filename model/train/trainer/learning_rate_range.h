// The learning-rate range test of a training (model/train/recipe/rate_range.h).
#ifndef ANYBIT_MODEL_TRAIN_TRAINER_LEARNING_RATE_RANGE_H_
#define ANYBIT_MODEL_TRAIN_TRAINER_LEARNING_RATE_RANGE_H_

#include <ostream>
#include <vector>

#include "absl/status/statusor.h"
#include "model/data/example_set.h"
#include "model/format/network_spec.h"
#include "model/train/recipe/point_recipe.h"
#include "model/train/recipe/rate_range.h"
#include "model/train/trainer/trainer_options.h"

namespace anybit::model::train {

// Runs the first phase of the training that `options` describe with the rates of `range`, for as many steps, or until
// the loss diverges. With start steps that is the training at full precision; without, joint training at all points. A
// step's loss is the mean over the points that ran. Nothing is saved. The errors of Train.
absl::StatusOr<RangeCurve> TestRange(const NetworkSpec& spec, const std::vector<PointRecipe>& points,
                                     const ExampleSet& examples, const TrainerOptions& options, const RateRange& range,
                                     std::ostream& progress, bool live);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_TRAINER_LEARNING_RATE_RANGE_H_
