#include "model/train/convert/norm_estimator.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/engine/torch_weights.h"
#include "model/format/full_precision_point.h"
#include "model/format/requantize.h"
#include "model/format/zero_points.h"
#include "model/train/convert/activation_step.h"
#include "model/train/convert/logit_quality.h"
#include "model/train/convert/moments.h"

namespace anybit::model::train {
namespace {

constexpr double kPixelStep = 1.0 / 255;

// Values by which an activation step is chosen: the standard error of its squared error is then below one percent.
constexpr int64_t kStepSamples = 1 << 16;

// Real value before ReLU and quantization: sums * scale + bias, per channel, plus the residual.
struct Affine {
  std::vector<float> scale, bias;
  double residual_step = 0;
  int residual_zero = 0;  // the residual's code that stands for 0
};

// Gives the sums of each channel the moments of the fp32 point. A channel with constant sums gets only the mean.
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

// About kStepSamples values of a layer before ReLU and quantization.
std::vector<float> SampleValues(const Chunks& sums, const Chunks* residual, const Affine& affine) {
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
    const int32_t* in = sum.const_data_ptr<int32_t>();
    const torch::Tensor added = residual != nullptr ? (*residual)[i].to(torch::kFloat32).contiguous() : torch::Tensor();
    const float* add = residual != nullptr ? added.const_data_ptr<float>() : nullptr;
    const int64_t area = sum.size(2) * sum.size(3), channels = sum.size(1);
    for (int64_t j = 0; j < sum.numel(); j += stride) {
      const int64_t o = j / area % channels;
      const float x = static_cast<float>(in[j]) * affine.scale[o] + affine.bias[o];
      values.push_back(add == nullptr ? x : x + (add[j] - residual_zero) * residual_step);
    }
  }
  return values;
}

// The codes that the engine computes.
torch::Tensor EngineCodes(const torch::Tensor& sums, const torch::Tensor* residual, const LayerEpilogue& layer) {
  const torch::Tensor acc = sums.contiguous(), added = residual != nullptr ? residual->contiguous() : torch::Tensor();
  torch::Tensor codes = torch::empty(acc.sizes(), torch::kUInt8);
  const int32_t* in = acc.const_data_ptr<int32_t>();
  const uint8_t* add = residual != nullptr ? added.const_data_ptr<uint8_t>() : nullptr;
  uint8_t* out = codes.mutable_data_ptr<uint8_t>();
  const int64_t area = acc.size(2) * acc.size(3), channels = acc.size(1);
  for (int64_t i = 0; i < acc.numel(); ++i) {
    const int64_t o = i / area % channels;
    out[i] = add == nullptr ? Requantize(in[i], layer.scale[o], layer.bias[o], layer.highest_code)
                            : RequantizeWithResidual(in[i], layer.scale[o], layer.bias[o], add[i], layer.residual_scale,
                                                     layer.highest_code);
  }
  return codes;
}

// The ratio of `exact` to the error of (codes - zero) * step, of as many rows as `exact` has.
double SqnrOf(const torch::Tensor& exact, const torch::Tensor& codes, double step, int zero) {
  const torch::Tensor wanted = exact.to(torch::kFloat64);
  const torch::Tensor got = (codes.slice(0, 0, exact.size(0)).to(torch::kFloat64) - zero) * step;
  return DecibelsOf(wanted.square().sum().item<double>(), (wanted - got).square().sum().item<double>());
}

// The index of the last node that reads each node.
std::vector<int> LastReaders(const NetworkPlan& plan) {
  std::vector<int> readers(plan.nodes.size(), -1);
  for (size_t i = 0; i < plan.nodes.size(); ++i) {
    const PlannedNode& node = plan.nodes[i];
    for (const int read : {node.input, node.has_residual ? node.residual : kNetworkInput}) {
      if (read != kNetworkInput) readers[read] = static_cast<int>(i);
    }
  }
  return readers;
}

}  // namespace

PointRanges UniformRanges(const PointRecipe& recipe, int layers) {
  PointRanges ranges{
      .info = {.name = recipe.name, .weight_bits = recipe.weight_bits, .activation_bits = recipe.activation_bits},
      .weights = std::vector<CodeRange>(layers, recipe.weights),
      .highest_codes = std::vector<int>(layers, recipe.highest_code)};
  ranges.weights.front() = ranges.weights.back() = CodeRange{};
  return ranges;
}

NormEstimator::NormEstimator(const Artifact& artifact, const ArtifactPoint& full, std::span<const uint8_t> images,
                             std::vector<float> border)
    : artifact_(artifact),
      plan_(*PlanNetwork(artifact.spec)),
      input_{.codes = ToChunks(plan_, images), .step = kPixelStep},
      statistics_(MeasureFloatPoint(plan_, artifact, full, input_.codes, border)) {}

absl::StatusOr<std::unique_ptr<NormEstimator>> NormEstimator::Create(const Artifact& artifact,
                                                                     std::span<const uint8_t> images,
                                                                     std::vector<float> border) {
  if (absl::Status status = ValidateArtifact(artifact); !status.ok()) return status;
  const ArtifactPoint* full = FullPrecisionPoint(artifact);
  if (full == nullptr) {
    return absl::InvalidArgumentError("an artifact without an fp32 point has nothing to estimate from");
  }
  const NetworkPlan plan = *PlanNetwork(artifact.spec);
  if (images.empty() || images.size() % static_cast<size_t>(plan.input_elements()) != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(images.size(), " codes are not a whole number of images of ", plan.input_elements()));
  }
  if (!border.empty() && static_cast<int64_t>(border.size()) != plan.input.channels) {
    return absl::InvalidArgumentError(
        absl::StrCat("a border of ", border.size(), " channels for ", plan.input.channels));
  }
  try {
    torch::NoGradGuard no_gradient;
    return std::unique_ptr<NormEstimator>(new NormEstimator(artifact, *full, images, std::move(border)));
  } catch (const std::exception& error) {
    return absl::InternalError(absl::StrCat("LibTorch: ", error.what()));
  }
}

absl::StatusOr<ArtifactPoint> NormEstimator::Estimate(const PointRanges& ranges, std::span<const double> head_units,
                                                      std::vector<double>* sqnr) const {
  if (absl::Status status = Check(ranges); !status.ok()) return status;
  ArtifactPoint point{.info = ranges.info};
  try {
    torch::NoGradGuard no_gradient;
    EstimateLayers(ranges, head_units, sqnr, point);
  } catch (const std::exception& error) {
    return absl::InternalError(absl::StrCat("LibTorch: ", error.what()));
  }
  return point;
}

absl::Status NormEstimator::Check(const PointRanges& ranges) const {
  if (ranges.weights.size() != plan_.layers.size() || ranges.highest_codes.size() != plan_.layers.size()) {
    return absl::InvalidArgumentError(absl::StrCat("point '", ranges.info.name, "' has ranges of ",
                                                   ranges.weights.size(), " weights and ", ranges.highest_codes.size(),
                                                   " activations for ", plan_.layers.size(), " layers"));
  }
  for (const CodeRange& range : ranges.weights) {
    if (absl::Status status = ValidateCodeRange(range); !status.ok()) return status;
  }
  for (const int highest : ranges.highest_codes) {
    if (highest < 1 || highest > 255) {
      return absl::InvalidArgumentError(absl::StrCat("highest activation code ", highest, " is outside 1..255"));
    }
  }
  return absl::OkStatus();
}

void NormEstimator::EstimateLayers(const PointRanges& ranges, std::span<const double> head_units,
                                   std::vector<double>* sqnr, ArtifactPoint& point) const {
  std::vector<NodeValues> values(plan_.nodes.size());
  const std::vector<int> last_readers = LastReaders(plan_);
  const auto value = [&](int index) -> const NodeValues& { return index == kNetworkInput ? input_ : values[index]; };
  for (size_t i = 0; i < plan_.nodes.size(); ++i) {
    const PlannedNode& node = plan_.nodes[i];
    const NodeValues& inputs = value(node.input);
    switch (node.kind) {
      case NodeKind::kConv:
        values[i] =
            EstimateConv(ranges, node, inputs.codes, node.has_residual ? &value(node.residual) : nullptr, point);
        if (sqnr != nullptr) {
          const int zero = ZeroPointOf(node, ranges.highest_codes[node.layer]);
          sqnr->push_back(SqnrOf(statistics_.samples[node.layer], values[i].codes[0], values[i].step, zero));
        }
        break;
      case NodeKind::kMaxPool:
        for (const torch::Tensor& x : inputs.codes) values[i].codes.push_back(Pool(node, x).to(torch::kUInt8));
        values[i].step = inputs.step;
        break;
      case NodeKind::kGlobalPool:
        for (const torch::Tensor& x : inputs.codes) values[i].codes.push_back(Pool(node, x));
        values[i].step = inputs.step / static_cast<double>(node.pooled());
        break;
      case NodeKind::kLinear:
        EstimateHead(ranges, node, inputs, head_units, point);
        if (sqnr != nullptr) {
          sqnr->push_back(SqnrOf(statistics_.samples[node.layer], HeadLogits(node, inputs.codes[0], point), 1, 0));
        }
        break;
    }
    for (size_t j = 0; j < i; ++j) {
      if (last_readers[j] == static_cast<int>(i)) values[j].codes.clear();
    }
  }
}

NormEstimator::NodeValues NormEstimator::EstimateConv(const PointRanges& ranges, const PlannedNode& node,
                                                      const Chunks& inputs, const NodeValues* residual,
                                                      ArtifactPoint& point) const {
  const torch::Tensor weights = ChildWeights(artifact_.store[node.layer], ranges.weights[node.layer], plan_, node);
  Chunks sums;
  Moments moments(node.out.channels);
  for (const torch::Tensor& x : inputs) {
    sums.push_back(ConvolutionSums(node, x, weights, node.padding).to(torch::kInt32));
    moments.Add(sums.back());
  }
  Affine affine = MatchMoments(moments, statistics_.layers[node.layer]);
  if (residual != nullptr) affine.residual_step = residual->step;
  if (node.has_residual && node.residual != kNetworkInput) {
    const PlannedNode& added = plan_.nodes[node.residual];
    if (added.kind == NodeKind::kConv) affine.residual_zero = ZeroPointOf(added, ranges.highest_codes[added.layer]);
  }
  LayerEpilogue layer{.weights = ranges.weights[node.layer], .highest_code = ranges.highest_codes[node.layer]};
  const int zero = ZeroPointOf(node, layer.highest_code);
  const Chunks* added_codes = residual != nullptr ? &residual->codes : nullptr;
  NodeValues values{.step = BestActivationStep(SampleValues(sums, added_codes, affine), layer.highest_code, zero)};
  if (node.has_residual) layer.residual_scale = static_cast<float>(affine.residual_step / values.step);
  // Zero points of the inputs are part of the sums' mean, which the bias already corrects.
  const double zeros = zero - double{layer.residual_scale} * affine.residual_zero;
  for (size_t o = 0; o < affine.scale.size(); ++o) {
    layer.scale.push_back(ExactScale(affine.scale[o] / values.step));
    layer.bias.push_back(static_cast<float>(affine.bias[o] / values.step + zeros));
  }
  for (size_t i = 0; i < sums.size(); ++i) {
    values.codes.push_back(EngineCodes(sums[i], added_codes != nullptr ? &(*added_codes)[i] : nullptr, layer));
  }
  point.layers.push_back(std::move(layer));
  return values;
}

torch::Tensor NormEstimator::HeadLogits(const PlannedNode& node, const torch::Tensor& inputs,
                                        const ArtifactPoint& point) const {
  const LayerEpilogue& layer = point.layers.back();
  const torch::Tensor weights = ChildWeights(artifact_.store[node.layer], layer.weights, plan_, node);
  const torch::Tensor sums = torch::matmul(Flatten(inputs).to(weights.scalar_type()), weights.t());
  return sums * torch::tensor(layer.scale) + torch::tensor(layer.bias);
}

void NormEstimator::EstimateHead(const PointRanges& ranges, const PlannedNode& node, const NodeValues& inputs,
                                 std::span<const double> units, ArtifactPoint& point) const {
  const CodeRange& range = ranges.weights[node.layer];
  const torch::Tensor weights = ChildWeights(artifact_.store[node.layer], range, plan_, node);
  Moments moments(node.out.channels);
  for (const torch::Tensor& x : inputs.codes) {
    moments.Add(torch::matmul(Flatten(x).to(weights.scalar_type()), weights.t()));
  }
  LayerEpilogue layer{.weights = range};
  for (int64_t o = 0; o < node.out.channels; ++o) {
    const double unit = units.empty() ? double{artifact_.store[node.layer].scale[o]} * range.step : units[o];
    const double scale = inputs.step * unit;
    layer.scale.push_back(static_cast<float>(scale));
    layer.bias.push_back(static_cast<float>(statistics_.layers[node.layer].mean[o] - scale * moments.mean(o)));
  }
  point.layers.push_back(std::move(layer));
}

}  // namespace anybit::model::train
