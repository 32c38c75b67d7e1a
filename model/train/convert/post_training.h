// An adaptive-bit-width artifact from a full-precision one, without training: one store for all points, rounded once,
// and every quantized point estimated on unlabelled images (norm_estimator.h).
#ifndef ANYBIT_MODEL_TRAIN_CONVERT_POST_TRAINING_H_
#define ANYBIT_MODEL_TRAIN_CONVERT_POST_TRAINING_H_

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "model/format/artifact.h"
#include "model/train/convert/joint_rounding.h"
#include "model/train/recipe/point_recipe.h"

namespace anybit::model::train {

enum class Rounding { kNearest, kJoint };

// By point and layer: NormEstimator::Estimate's ratio of the float network's output to its error; of points of floats
// empty.
using LayerSqnr = std::vector<std::vector<double>>;

// The artifact of `points`, in their order. A recipe of floats stands for the fp32 point of `full`; without one
// the artifact has no float weights. Accuracies of quantized points are 0. `images` and `border` are those of
// NormEstimator::Create. InvalidArgument where `full` has no fp32 point or `points` no quantized one; the errors of
// NormEstimator.
absl::StatusOr<Artifact> QuantizeAfterTraining(const Artifact& full, const std::vector<PointRecipe>& points,
                                               std::span<const uint8_t> images, std::vector<float> border,
                                               Rounding rounding, const JointRoundingOptions& options = {},
                                               LayerSqnr* sqnr = nullptr);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_CONVERT_POST_TRAINING_H_
