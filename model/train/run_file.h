// The file of one training run: its accuracies and its command, as JSON (proto/training_run.proto).
#ifndef ANYBIT_MODEL_TRAIN_RUN_FILE_H_
#define ANYBIT_MODEL_TRAIN_RUN_FILE_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/train/recipe/point_recipe.h"
#include "proto/training_run.pb.h"

namespace anybit::model::train {

using proto::PointResult;
using proto::TeacherSteps;
using proto::TrainingRun;

inline constexpr double kFullPrecisionBits = 32;

// log2 of the number of codes 0..highest or lo..hi.
double BitsOfLevels(int64_t levels);

// The result of `point`, without accuracies.
PointResult ResultOf(const PointRecipe& point);

// The file's text. InvalidArgument, with the place, for a text that is not such a file or has a value out of range.
std::string SerializeRun(const TrainingRun& run);
absl::StatusOr<TrainingRun> ParseRun(absl::string_view json);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_RUN_FILE_H_
