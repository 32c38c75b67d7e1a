// Fits the epilogue of one layer at one point to the values of the full-precision point.
#ifndef ANYBIT_MODEL_TRAIN_CONVERT_LAYER_FIT_H_
#define ANYBIT_MODEL_TRAIN_CONVERT_LAYER_FIT_H_

#include <torch/types.h>

#include <cstdint>
#include <span>
#include <vector>

#include "model/format/artifact_contents.h"
#include "model/format/network_spec.h"
#include "model/train/convert/activation_step.h"
#include "model/train/convert/float_statistics.h"
#include "model/train/convert/moments.h"
#include "model/train/convert/tensor_operators.h"

namespace anybit::model::train {

// Values by which an activation step is chosen. With 8 bits the rare large ones decide: EfficientNet-Lite0 at w8a8 has
// 26.5 dB with 2^16 of them and 26.9 dB with 2^18.
inline constexpr int64_t kStepSamples = 1 << 18;

// Real value before activation and quantization: sums * scale + bias, per channel, plus the residual.
struct Affine {
  std::vector<float> scale, bias;
  double residual_step = 0;
  int residual_zero = 0;  // the residual's code that stands for 0, or for the channel's offset
};

// Gives the sums of each channel the moments of the fp32 point. A channel with constant sums gets only the mean.
Affine MatchMoments(const Moments& moments, const FloatStatistics::Layer& wanted);

// Counts values from `offsets` instead of 0, where those that are added are counted from `added`; both by channel or
// empty (channel_offsets.h).
void CountFrom(const std::vector<float>& offsets, const std::vector<float>& added, Affine& affine);

// Some values of a layer before activation and quantization. Sums are int32 or int64; `residual` has codes, or is null.
std::vector<float> SampleValues(const Chunks& sums, const Chunks* residual, const Affine& affine);

// Completes the epilogue of a layer whose sums `affine` makes values of, of which `samples` are some; returns what the
// codes of its output stand for.
ActivationRange FitOutput(const PlannedNode& node, const Affine& affine, std::span<const float> samples,
                          LayerEpilogue& layer);

// The codes that the engine computes.
torch::Tensor EngineCodes(const torch::Tensor& sums, const torch::Tensor* residual, const LayerEpilogue& layer);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_CONVERT_LAYER_FIT_H_
