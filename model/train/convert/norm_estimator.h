// Estimates operating points from a full-precision point and unlabelled images, without training.
//
// It works layer by layer on the values of the already quantized layers before. Weights are the store's children. Each
// channel's sums get the mean and the deviation that the fp32 point has there on the same images: batch norm is
// estimated again for this point. The step of the layer's activations is the one with the smallest squared error.
#ifndef ANYBIT_MODEL_TRAIN_CONVERT_NORM_ESTIMATOR_H_
#define ANYBIT_MODEL_TRAIN_CONVERT_NORM_ESTIMATOR_H_

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/format/artifact.h"
#include "model/format/code_range.h"
#include "model/format/network_spec.h"
#include "model/format/operating_point.h"
#include "model/train/convert/channel_offsets.h"
#include "model/train/convert/float_statistics.h"
#include "model/train/convert/tensor_operators.h"
#include "model/train/recipe/point_recipe.h"

namespace anybit::model::train {

// The code ranges of an operating point, by layer of the plan.
struct PointRanges {
  OperatingPoint info;
  std::vector<CodeRange> weights;
  std::vector<int> highest_codes;  // of activations, 1..255; ignored for the last layer
};

// The first and the last layer keep the whole store; the others have the recipe's ranges.
PointRanges UniformRanges(const PointRecipe& recipe, int layers);

// The layers over maps of one place, such as those that compute gates, get 8 bits: they cost nearly nothing.
void KeepSmallLayersWide(const NetworkPlan& plan, PointRanges& ranges);

class NormEstimator {
 public:
  // `images` are rows of the network's input. `border` has the code per channel with which the float network padded its
  // input (float_import.h); empty: 0. InvalidArgument for an artifact without an fp32 point or a number of codes that
  // is not a whole number of rows; Internal where LibTorch fails. The moments of inputs are measured at about
  // `moment_places` outputs of each layer.
  static absl::StatusOr<std::unique_ptr<NormEstimator>> Create(const Artifact& artifact,
                                                               std::span<const uint8_t> images,
                                                               std::vector<float> border = {},
                                                               int64_t moment_places = 0);

  const FloatStatistics& statistics() const { return statistics_; }

  // The point with estimated scales and biases; its accuracy is 0. `store` has the codes of weights.
  // `head_units` are the real values of one code of the last layer's weights; empty: the store's scale times the step.
  // InvalidArgument for ranges that do not fit.
  //
  // `sqnr` receives for each layer the ratio, in dB, of the float network's output to the error of the point's, on the
  // first few images; null: it is not computed.
  absl::StatusOr<ArtifactPoint> Estimate(std::span<const LayerStore> store, const PointRanges& ranges,
                                         std::span<const double> head_units = {},
                                         std::vector<double>* sqnr = nullptr) const;

  // Logits of `images` at the fp32 point, with the border of the float network.
  std::span<const float> float_logits() const { return statistics_.logits; }

 private:
  // The values of a node: codes, or sums of them, that stand for codes * step, counted from the node's offsets.
  struct NodeValues {
    Chunks codes;
    double step = 0;
    int zero = 0;  // the code that stands for 0; not of sums
  };

  NormEstimator(const Artifact& artifact, const ArtifactPoint& full, std::span<const uint8_t> images,
                const std::vector<float>& border, int64_t moment_places);

  absl::Status Check(const PointRanges& ranges) const;
  void EstimateLayers(std::span<const LayerStore> store, const PointRanges& ranges, std::span<const double> head_units,
                      std::vector<double>* sqnr, ArtifactPoint& point) const;
  // Appends the layer to `point` and returns its codes. `residual` may be null.
  NodeValues EstimateConv(std::span<const LayerStore> store, const PointRanges& ranges, const PlannedNode& node,
                          const NodeValues& inputs, const NodeValues* residual, ArtifactPoint& point) const;
  // Appends the gate to `point` and returns its codes.
  NodeValues EstimateGate(const NodeValues& inputs, const NodeValues& factors, int highest, ArtifactPoint& point) const;
  // The highest code of the node's output.
  int HighestOf(const PointRanges& ranges, const PlannedNode& node) const;
  // The input of a convolution with its padding around it.
  torch::Tensor Padded(const PlannedNode& node, const torch::Tensor& codes, int zero) const;
  // Appends the layer to `point`. Logits keep the scale of weights and activations; their means are the fp32 point's.
  void EstimateHead(std::span<const LayerStore> store, const PointRanges& ranges, const PlannedNode& node,
                    const NodeValues& inputs, std::span<const double> units, ArtifactPoint& point) const;

  // The logits of the last layer of `point`.
  torch::Tensor HeadLogits(std::span<const LayerStore> store, const PlannedNode& node, const torch::Tensor& inputs,
                           const ArtifactPoint& point) const;

  const NetworkPlan plan_;
  const NodeValues input_;
  const FloatStatistics statistics_;
  const std::vector<std::vector<float>> offsets_;  // by node and channel: what its zero code stands for; empty: 0
};

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_CONVERT_NORM_ESTIMATOR_H_
