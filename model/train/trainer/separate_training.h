// Training of one network per operating point, each by itself: the control experiment for joint training.
#ifndef ANYBIT_MODEL_TRAIN_TRAINER_SEPARATE_TRAINING_H_
#define ANYBIT_MODEL_TRAIN_TRAINER_SEPARATE_TRAINING_H_

#include <ostream>
#include <vector>

#include "absl/status/statusor.h"
#include "model/data/example_set.h"
#include "model/train/recipe/point_recipe.h"
#include "model/train/trainer/trainer_options.h"
#include "model/train/trainer/training_result.h"

namespace anybit::model::train {

// For a recipe that is not joint. Returns one result per point, each trained by itself from one shared full-precision
// start. A point gets as many steps, on the same batches, as in a joint run; only the optimizer restarts after the
// start. The checkpoints are `checkpoint`.<point>, the logs `step_log`.<point> and `tensorboard`/<point>. The errors of
// Train and CheckIsDue.
absl::StatusOr<std::vector<TrainingResult>> TrainSeparately(const NetworkSpec& spec,
                                                            const std::vector<PointRecipe>& points,
                                                            const ExampleSet& examples, const TrainerOptions& options,
                                                            std::ostream& progress, bool live);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_TRAINER_SEPARATE_TRAINING_H_
