#include "model/train/convert/layer_fit.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "model/format/requantize.h"
#include "model/format/zero_points.h"

namespace anybit::model::train {
namespace {

// About kStepSamples values of a layer before activation and quantization.
template <typename Sum>
std::vector<float> SamplesOf(const Chunks& sums, const Chunks* residual, const Affine& affine) {
  int64_t total = 0;
  for (const torch::Tensor& chunk : sums) total += chunk.numel();
  // A stride without a common factor with the size of a map visits all places of the map.
  const int64_t map = sums[0].size(2) * sums[0].size(3);
  int64_t stride = std::max<int64_t>(1, total / kStepSamples);
  while (std::gcd(stride, map) != 1) ++stride;
  const float residual_zero = static_cast<float>(affine.residual_zero);
  const float residual_step = static_cast<float>(affine.residual_step);
  std::vector<float> values;
  for (size_t i = 0; i < sums.size(); ++i) {
    const torch::Tensor sum = sums[i].contiguous();
    const Sum* in = sum.template const_data_ptr<Sum>();
    const torch::Tensor added = residual != nullptr ? (*residual)[i].contiguous() : torch::Tensor();
    const uint8_t* add = residual != nullptr ? added.const_data_ptr<uint8_t>() : nullptr;
    const int64_t area = sum.size(2) * sum.size(3), channels = sum.size(1);
    for (int64_t j = 0; j < sum.numel(); j += stride) {
      const int64_t o = j / area % channels;
      const float x = static_cast<float>(in[j]) * affine.scale[o] + affine.bias[o];
      values.push_back(add == nullptr ? x : x + (static_cast<float>(add[j]) - residual_zero) * residual_step);
    }
  }
  return values;
}

// The codes that the engine computes.
template <typename Sum>
torch::Tensor CodesOf(const torch::Tensor& sums, const torch::Tensor* residual, const LayerEpilogue& layer) {
  const torch::Tensor acc = sums.contiguous(), added = residual != nullptr ? residual->contiguous() : torch::Tensor();
  torch::Tensor codes = torch::empty(acc.sizes(), torch::kUInt8);
  const Sum* in = acc.template const_data_ptr<Sum>();
  const uint8_t* add = residual != nullptr ? added.const_data_ptr<uint8_t>() : nullptr;
  uint8_t* out = codes.mutable_data_ptr<uint8_t>();
  const int highest = layer.highest_of_sums();
  const int64_t area = acc.size(2) * acc.size(3), channels = acc.size(1);
  for (int64_t plane = 0; plane < acc.size(0) * channels; ++plane) {
    const float scale = layer.scale[plane % channels], bias = layer.bias[plane % channels];
    for (int64_t i = plane * area; i < (plane + 1) * area; ++i) {
      out[i] = add == nullptr ? Requantize(in[i], scale, bias, highest)
                              : RequantizeWithResidual(static_cast<int32_t>(in[i]), scale, bias, add[i],
                                                       layer.residual_scale, highest);
    }
  }
  if (layer.table.empty()) return codes;
  for (int64_t i = 0; i < codes.numel(); ++i) out[i] = layer.table[out[i]];
  return codes;
}

}  // namespace

Affine MatchMoments(const Moments& moments, const FloatStatistics::Layer& wanted) {
  constexpr double kSmallestDeviation = 1e-6;  // sums are whole numbers: a smaller deviation is rounding
  Affine affine;
  for (size_t o = 0; o < wanted.mean.size(); ++o) {
    const auto channel = static_cast<int64_t>(o);
    double scale =
        moments.deviation(channel) < kSmallestDeviation ? 0 : wanted.deviation[o] / moments.deviation(channel);
    if (wanted.falls[o]) scale = -scale;
    affine.scale.push_back(static_cast<float>(scale));
    affine.bias.push_back(static_cast<float>(wanted.mean[o] - scale * moments.mean(channel)));
  }
  return affine;
}

void CountFrom(const std::vector<float>& offsets, const std::vector<float>& added, Affine& affine) {
  for (size_t o = 0; o < offsets.size(); ++o) affine.bias[o] -= offsets[o];
  for (size_t o = 0; o < added.size(); ++o) affine.bias[o] += added[o];
}

std::vector<float> SampleValues(const Chunks& sums, const Chunks* residual, const Affine& affine) {
  return sums[0].scalar_type() == torch::kInt64 ? SamplesOf<int64_t>(sums, residual, affine)
                                                : SamplesOf<int32_t>(sums, residual, affine);
}

ActivationRange FitOutput(const PlannedNode& node, const Affine& affine, std::span<const float> samples,
                          LayerEpilogue& layer) {
  ActivationRange output;
  double step = 0, offset = 0;  // of the epilogue's codes: value = (code - offset) * step
  if (node.activation.is_tabled()) {
    const auto function = [&](float x) { return Activate(node.activation, x); };
    const TableRange table = BestTableRange(samples, function);
    std::vector<float> activated;
    for (const float x : samples) activated.push_back(function(x));
    const ActivationRange range = BestActivationRange(activated, layer.highest_code);
    for (int i = 0; i < kTableCodes; ++i) {
      const double y = function(static_cast<float>(table.lo + i * table.step));
      const double code = std::nearbyint(y / range.step) + range.zero;
      layer.table.push_back(static_cast<uint8_t>(std::clamp<double>(code, 0, layer.highest_code)));
    }
    layer.zero_code = range.zero;
    output = range;
    step = table.step;
    offset = -table.lo / table.step;
  } else {
    std::vector<float> clipped(samples.begin(), samples.end());
    if (node.activation.is_clip()) {
      for (float& x : clipped) x = std::min(x, node.activation.alpha);
    }
    output.zero = ZeroPointOf(node, layer.highest_code);
    output.step = step = BestActivationStep(clipped, layer.highest_code, output.zero);
    offset = output.zero;
    if (node.activation.is_clip()) {
      const double limit = std::nearbyint(node.activation.alpha / step);
      layer.highest_code = static_cast<int>(std::clamp<double>(limit, 1, layer.highest_code));
    }
  }
  if (node.has_residual) layer.residual_scale = static_cast<float>(affine.residual_step / step);
  // Zero codes of the inputs are part of the sums' mean, which the bias already corrects.
  const double zeros = offset - double{layer.residual_scale} * affine.residual_zero;
  for (size_t o = 0; o < affine.scale.size(); ++o) {
    layer.scale.push_back(ExactScale(affine.scale[o] / step));
    layer.bias.push_back(static_cast<float>(affine.bias[o] / step + zeros));
  }
  return output;
}

torch::Tensor EngineCodes(const torch::Tensor& sums, const torch::Tensor* residual, const LayerEpilogue& layer) {
  return sums.scalar_type() == torch::kInt64 ? CodesOf<int64_t>(sums, residual, layer)
                                             : CodesOf<int32_t>(sums, residual, layer);
}

}  // namespace anybit::model::train
