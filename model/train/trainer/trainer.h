// Training of one network at all its operating points by a Recipe: the loop and its result.
//
// A run begins with steps at full precision. Each step of the joint phase runs forward and backward at every point that
// is due, from the highest precision to the lowest, then one optimizer step on the shared weights. The order of images,
// their augmentation, teachers, swapped blocks and initial weights follow from the seed and the step alone, so that a
// resumed run gives exactly the result of an uninterrupted one.
//
//   absl::StatusOr<TrainingResult> result = Train(spec, *ParsePoints("fp32,w4a4f"), examples,
//                                                 {.recipe = *ParseRecipe("anybit"), .seed = 7}, std::cerr, true);
#ifndef ANYBIT_MODEL_TRAIN_TRAINER_TRAINER_H_
#define ANYBIT_MODEL_TRAIN_TRAINER_TRAINER_H_

#include <ostream>
#include <vector>

#include "absl/status/statusor.h"
#include "model/data/example_set.h"
#include "model/train/recipe/point_recipe.h"
#include "model/train/trainer/trainer_options.h"
#include "model/train/trainer/training_result.h"

namespace anybit::model::train {

// Trains on `examples`. Progress goes to `progress`, on one line rewritten in place where `live`. Errors:
// - InvalidArgument for options that do not fit;
// - those of ExampleSet::Read for an example that cannot be read, after a checkpoint of the steps before;
// - Cancelled, with the saved step, where TrainerOptions::stop is set;
// - Aborted where the training diverges;
// - Unavailable where a process of the group is gone;
// - Internal where LibTorch fails.
absl::StatusOr<TrainingResult> Train(const NetworkSpec& spec, const std::vector<PointRecipe>& points,
                                     const ExampleSet& examples, const TrainerOptions& options, std::ostream& progress,
                                     bool live);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_TRAINER_TRAINER_H_
