// One network per operating point, each alone: the control beside joint training.
#ifndef ANYBIT_MODEL_TRAIN_TRAINER_SEPARATE_TRAINING_H_
#define ANYBIT_MODEL_TRAIN_TRAINER_SEPARATE_TRAINING_H_

#include <ostream>
#include <vector>

#include "absl/status/statusor.h"
#include "model/data/example_set.h"
#include "model/format/artifact.h"
#include "model/train/recipe/point_recipe.h"
#include "model/train/trainer/trainer_options.h"

namespace anybit {

// For a recipe that is not joint: one artifact per point, each trained alone from one shared full-precision start, with
// as many steps at its point as a joint run would have spent on it, on the same batches. Only the optimizer begins anew
// after the start. Checkpoints are `checkpoint`.<point>.
absl::StatusOr<std::vector<Artifact>> TrainSeparately(const NetworkSpec& spec, const std::vector<PointRecipe>& points,
                                                      const ExampleSet& examples, const TrainerOptions& options,
                                                      std::ostream& progress, bool live);

}  // namespace anybit

#endif  // ANYBIT_MODEL_TRAIN_TRAINER_SEPARATE_TRAINING_H_
