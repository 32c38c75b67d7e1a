// The full-precision point from which a run starts: its own, that of another artifact, or that of a checkpoint.
#ifndef ANYBIT_MODEL_TRAIN_TRAINER_START_H_
#define ANYBIT_MODEL_TRAIN_TRAINER_START_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/format/artifact.h"
#include "model/train/recipe/point_recipe.h"

namespace anybit::model::train {

// The name of the point that WithStart adds; no other point may have it.
inline constexpr char kStartName[] = "start";

// The first full-precision point, if any.
std::optional<PointIndex> FindFullPrecision(const std::vector<PointRecipe>& points);

// `points`, followed by a full-precision point if they have none. The run starts with that point; its result does not
// have it.
std::vector<PointRecipe> WithStart(std::vector<PointRecipe> points);

// InvalidArgument where `start` has no full-precision point or belongs to another network than `spec`; names the first
// difference.
absl::Status CheckStart(const NetworkSpec& spec, const Artifact& start);

// The full-precision point of the run that wrote `checkpoint`, as the start of another run: an artifact with that point
// alone. Weights and batch norm are those after the last step, not their moving average. `spec` must be the spec of
// that run.
absl::StatusOr<Artifact> FullPrecisionOf(const std::string& checkpoint, const NetworkSpec& spec);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_TRAINER_START_H_
