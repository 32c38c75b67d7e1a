// What a run starts from: a full-precision point of its own, another artifact's or that of a checkpoint.
#ifndef ANYBIT_MODEL_TRAIN_TRAINER_START_H_
#define ANYBIT_MODEL_TRAIN_TRAINER_START_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/format/artifact.h"
#include "model/train/recipe/point_recipe.h"

namespace anybit {

// Of the point that WithStart adds; no other may have it.
inline constexpr char kStartName[] = "start";

// The index of the first full-precision point, or -1.
int FindFullPrecision(const std::vector<PointRecipe>& points);

// `points`, and behind them one of full precision where there is none: it starts the run and is no part of its result.
std::vector<PointRecipe> WithStart(std::vector<PointRecipe> points);

// InvalidArgument where `start` has no full-precision point or is of another network than `spec`, naming the first
// difference.
absl::Status CheckStart(const NetworkSpec& spec, const Artifact& start);

// The full-precision point of the run that wrote a checkpoint, as a start for another: an artifact with that point
// alone, weights and batch norm as the run's last step left them (the weights themselves, not their
// average). `spec` must be that run's.
absl::StatusOr<Artifact> FullPrecisionOf(const std::string& checkpoint, const NetworkSpec& spec);

}  // namespace anybit

#endif  // ANYBIT_MODEL_TRAIN_TRAINER_START_H_
