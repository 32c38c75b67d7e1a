// The checkpoint files of a run.
#ifndef ANYBIT_MODEL_TRAIN_CHECKPOINT_FILES_H_
#define ANYBIT_MODEL_TRAIN_CHECKPOINT_FILES_H_

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "model/train/recipe/point_recipe.h"
#include "model/train/trainer/trainer_options.h"

namespace anybit::model::train {

// The existing files and their modification times: one file of a joint run, one per point and one of the start where
// points are trained separately.
std::map<std::string, std::filesystem::file_time_type> CheckpointFiles(const TrainerOptions& options,
                                                                       const std::vector<PointRecipe>& points);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_CHECKPOINT_FILES_H_
