#include "model/train/convert/norm_estimator.h"

#include <algorithm>
#include <cmath>
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

// Real value before activation and quantization: sums * scale + bias, per channel, plus the residual.
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

// About kStepSamples values of a layer before activation and quantization.
template <typename Sum>
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
torch::Tensor EngineCodes(const torch::Tensor& sums, const torch::Tensor* residual, const LayerEpilogue& layer) {
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

// The ratio of `exact` to the error of (codes - zero) * step, of as many rows as `exact` has.
double SqnrOf(const torch::Tensor& exact, const torch::Tensor& codes, double step, int zero) {
  const torch::Tensor wanted = exact.to(torch::kFloat64);
  const torch::Tensor got = (codes.slice(0, 0, exact.size(0)).to(torch::kFloat64) - zero) * step;
  return DecibelsOf(wanted.square().sum().item<double>(), (wanted - got).square().sum().item<double>());
}

// Completes the epilogue of a layer whose sums `affine` makes values of, of which `samples` are some; returns what the
// codes of its output stand for.
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

void KeepSmallLayersWide(const NetworkPlan& plan, PointRanges& ranges) {
  for (const int index : plan.layers) {
    const PlannedNode& node = plan.nodes[index];
    if (node.kind != NodeKind::kConv || node.in.height * node.in.width != 1) continue;
    ranges.weights[node.layer] = CodeRange{};
    ranges.highest_codes[node.layer] = kTableCodes - 1;
  }
}

NormEstimator::NormEstimator(const Artifact& artifact, const ArtifactPoint& full, std::span<const uint8_t> images,
                             std::vector<float> border)
    : artifact_(artifact),
      plan_(*PlanNetwork(artifact.spec)),
      input_{.codes = ToChunks(plan_, images), .step = kPixelStep},
      statistics_(MeasureFloatPoint(plan_, artifact, full, input_.codes,
                                    plan_.padding_code.empty() ? border : plan_.padding_code)) {}

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
        values[i] = EstimateConv(ranges, node, inputs, node.has_residual ? &value(node.residual) : nullptr, point);
        if (sqnr != nullptr) {
          sqnr->push_back(SqnrOf(statistics_.samples[node.layer], values[i].codes[0], values[i].step, values[i].zero));
        }
        break;
      case NodeKind::kGate:
        values[i] = EstimateGate(inputs, value(node.residual), HighestOf(ranges, node), point);
        break;
      case NodeKind::kMaxPool:
        for (const torch::Tensor& x : inputs.codes) values[i].codes.push_back(Pool(node, x).to(torch::kUInt8));
        values[i].step = inputs.step;
        values[i].zero = inputs.zero;
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

int NormEstimator::HighestOf(const PointRanges& ranges, const PlannedNode& node) const {
  if (node.kind == NodeKind::kConv) return ranges.highest_codes[node.layer];
  return node.input == kNetworkInput ? kTableCodes - 1 : HighestOf(ranges, plan_.nodes[node.input]);
}

torch::Tensor NormEstimator::Padded(const PlannedNode& node, const torch::Tensor& codes, int zero) const {
  const bool of_input = node.input == kNetworkInput;
  if (node.padding == 0 || (of_input ? plan_.padding_code.empty() : zero == 0)) return codes;
  std::vector<float> border(static_cast<size_t>(node.in.channels), static_cast<float>(zero));
  for (size_t c = 0; of_input && c < border.size(); ++c) {
    border[c] = static_cast<float>(InputPadding(plan_, static_cast<int64_t>(c)));
  }
  return WithBorder(codes, node.padding, border);
}

NormEstimator::NodeValues NormEstimator::EstimateConv(const PointRanges& ranges, const PlannedNode& node,
                                                      const NodeValues& inputs, const NodeValues* residual,
                                                      ArtifactPoint& point) const {
  const torch::Tensor weights = ChildWeights(artifact_.store[node.layer], ranges.weights[node.layer], plan_, node);
  // Sums of a pool's sums may be longer.
  const torch::ScalarType type = node.of_sums ? torch::kInt64 : torch::kInt32;
  Chunks sums;
  Moments moments(node.out.channels);
  for (const torch::Tensor& x : inputs.codes) {
    const torch::Tensor padded = Padded(node, x, inputs.zero);
    const int64_t padding = padded.size(2) == x.size(2) ? node.padding : 0;
    sums.push_back(ConvolutionSums(node, padded, weights, padding).to(type).contiguous());
    moments.Add(sums.back());
  }
  Affine affine = MatchMoments(moments, statistics_.layers[node.layer]);
  const Chunks* added = residual != nullptr ? &residual->codes : nullptr;
  if (residual != nullptr) {
    affine.residual_step = residual->step;
    affine.residual_zero = residual->zero;
  }
  LayerEpilogue layer{.weights = ranges.weights[node.layer], .highest_code = ranges.highest_codes[node.layer]};
  const ActivationRange output = FitOutput(
      node, affine,
      node.of_sums ? SampleValues<int64_t>(sums, added, affine) : SampleValues<int32_t>(sums, added, affine), layer);
  NodeValues values{.codes = {}, .step = output.step, .zero = output.zero};
  for (size_t i = 0; i < sums.size(); ++i) {
    const torch::Tensor* codes = added != nullptr ? &(*added)[i] : nullptr;
    values.codes.push_back(node.of_sums ? EngineCodes<int64_t>(sums[i], codes, layer)
                                        : EngineCodes<int32_t>(sums[i], codes, layer));
    sums[i] = torch::Tensor();
  }
  point.layers.push_back(std::move(layer));
  return values;
}

NormEstimator::NodeValues NormEstimator::EstimateGate(const NodeValues& inputs, const NodeValues& factors, int highest,
                                                      ArtifactPoint& point) const {
  const double unit = inputs.step * factors.step;  // of a product
  Chunks products;
  std::vector<float> samples;
  int64_t total = 0;
  for (const torch::Tensor& x : inputs.codes) total += x.numel();
  const int64_t stride = std::max<int64_t>(1, total / kStepSamples) | 1;
  for (size_t i = 0; i < inputs.codes.size(); ++i) {
    products.push_back(
        ((inputs.codes[i].to(torch::kInt32) - inputs.zero) * (factors.codes[i].to(torch::kInt32) - factors.zero))
            .contiguous());
    const int32_t* product = products.back().const_data_ptr<int32_t>();
    for (int64_t j = 0; j < products.back().numel(); j += stride) {
      samples.push_back(static_cast<float>(product[j] * unit));
    }
  }
  const ActivationRange range = BestActivationRange(samples, highest);
  const GateEpilogue gate{
      .scale = static_cast<float>(unit / range.step), .highest_code = highest, .zero_code = range.zero};
  NodeValues values{.codes = {}, .step = range.step, .zero = range.zero};
  for (torch::Tensor& of_chunk : products) {
    torch::Tensor codes = torch::empty(of_chunk.sizes(), torch::kUInt8);
    const int32_t* in = of_chunk.const_data_ptr<int32_t>();
    uint8_t* out = codes.mutable_data_ptr<uint8_t>();
    for (int64_t i = 0; i < codes.numel(); ++i) {
      out[i] = RequantizeProduct(in[i], gate.scale, gate.zero_code, gate.highest_code);
    }
    values.codes.push_back(codes);
    of_chunk = torch::Tensor();
  }
  point.gates.push_back(gate);
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
