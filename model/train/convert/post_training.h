// Operating points without training: what an artifact's fp32 point computes, said with the store's integers.
//
// Layer after layer, as the data flows through what has been quantized already: weights are the store's children, each
// channel's sums get the mean and the deviation that the fp32 point has there on the same unlabelled images (batch norm
// estimated anew for this point), and the step of the layer's activations is the one of the least squared error.
#ifndef ANYBIT_MODEL_TRAIN_CONVERT_POST_TRAINING_H_
#define ANYBIT_MODEL_TRAIN_CONVERT_POST_TRAINING_H_

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/format/artifact.h"
#include "model/format/code_range.h"
#include "model/format/operating_point.h"
#include "model/train/convert/joint_rounding.h"
#include "model/train/recipe/point_recipe.h"

namespace anybit {

// An operating point to be estimated; layers by index of the plan.
struct PointRanges {
  OperatingPoint info;
  std::vector<CodeRange> weights;
  std::vector<int> highest_codes;  // 1..255; ignored for the last layer
};

// The first and the last layer keep the whole store, the others have the recipe's ranges.
PointRanges UniformRanges(const PointRecipe& recipe, int layers);

class NormEstimator {
 public:
  // `images` are rows of the network's input. Where the float network padded its input with something else than code
  // 0, `border` has the code that stands for it, one per channel (float_import.h); empty: 0. InvalidArgument for an
  // artifact without an fp32 point, or no whole number of rows.
  static absl::StatusOr<std::unique_ptr<NormEstimator>> Create(const Artifact& artifact,
                                                               std::span<const uint8_t> images,
                                                               std::vector<float> border = {});
  virtual ~NormEstimator() = default;

  // The point with scales and biases estimated; its accuracy is 0. Uses the store alone of the artifact's weights, so
  // that points searched later can be estimated too. `head_units` are the real values of one code of the last layer's
  // weights; empty: the store's scale times the step.
  virtual absl::StatusOr<ArtifactPoint> Estimate(const PointRanges& ranges,
                                                 std::span<const double> head_units = {}) const = 0;

  // Logits of `images` at the fp32 point, with the float network's own border.
  virtual std::span<const float> float_logits() const = 0;
};

enum class Rounding { kNearest, kJoint };

// The artifact of `full`'s fp32 point and `points`, in the order of `points` (an fp32 recipe among them stands for
// it; it may be left out, then the artifact is nested). Accuracies of quantized points are 0.
absl::StatusOr<Artifact> QuantizeAfterTraining(const Artifact& full, const std::vector<PointRecipe>& points,
                                               std::span<const uint8_t> images, std::vector<float> border,
                                               Rounding rounding, const JointRoundingOptions& options = {});

}  // namespace anybit

#endif  // ANYBIT_MODEL_TRAIN_CONVERT_POST_TRAINING_H_
