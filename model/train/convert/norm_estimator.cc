#include "model/train/convert/norm_estimator.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/engine/torch_weights.h"
#include "model/format/full_precision_point.h"
#include "model/format/requantize.h"
#include "model/format/zero_points.h"
#include "model/train/convert/activation_step.h"
#include "model/train/convert/layer_fit.h"
#include "model/train/convert/logit_quality.h"
#include "model/train/convert/moments.h"

namespace anybit::model::train {
namespace {

constexpr double kPixelStep = 1.0 / 255;

// The ratio of `exact` to the error of (codes - zero) * step + offset, of as many rows as `exact` has.
double SqnrOf(const torch::Tensor& exact, const torch::Tensor& codes, double step, int zero,
              const std::vector<float>& offsets = {}) {
  const torch::Tensor wanted = exact.to(torch::kFloat64);
  torch::Tensor got = (codes.slice(0, 0, exact.size(0)).to(torch::kFloat64) - zero) * step;
  if (!offsets.empty()) got = got + PerChannel(offsets);
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

void KeepSmallLayersWide(const NetworkPlan& plan, PointRanges& ranges) {
  for (const int index : plan.layers) {
    const PlannedNode& node = plan.nodes[index];
    if (node.kind != NodeKind::kConv || node.in.height * node.in.width != 1) continue;
    ranges.weights[node.layer] = CodeRange{};
    ranges.highest_codes[node.layer] = kTableCodes - 1;
  }
}

NormEstimator::NormEstimator(const Artifact& artifact, const ArtifactPoint& full, std::span<const uint8_t> images,
                             const std::vector<float>& border, int64_t moment_places)
    : plan_(*PlanNetwork(artifact.spec)),
      input_{.codes = ToChunks(plan_, images), .step = kPixelStep},
      statistics_(MeasureFloatPoint(plan_, artifact, full, input_.codes,
                                    plan_.padding_code.empty() ? border : plan_.padding_code, moment_places)),
      offsets_(ChannelOffsets(plan_, statistics_.extents)) {}

absl::StatusOr<std::unique_ptr<NormEstimator>> NormEstimator::Create(const Artifact& artifact,
                                                                     std::span<const uint8_t> images,
                                                                     std::vector<float> border, int64_t moment_places) {
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
    return std::unique_ptr<NormEstimator>(new NormEstimator(artifact, *full, images, border, moment_places));
  } catch (const std::exception& error) {
    return absl::InternalError(absl::StrCat("LibTorch: ", error.what()));
  }
}

absl::StatusOr<ArtifactPoint> NormEstimator::Estimate(std::span<const LayerStore> store, const PointRanges& ranges,
                                                      std::span<const double> head_units,
                                                      std::vector<double>* sqnr) const {
  if (absl::Status status = Check(ranges); !status.ok()) return status;
  ArtifactPoint point{.info = ranges.info};
  try {
    torch::NoGradGuard no_gradient;
    EstimateLayers(store, ranges, head_units, sqnr, point);
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

void NormEstimator::EstimateLayers(std::span<const LayerStore> store, const PointRanges& ranges,
                                   std::span<const double> head_units, std::vector<double>* sqnr,
                                   ArtifactPoint& point) const {
  std::vector<NodeValues> values(plan_.nodes.size());
  const std::vector<int> last_readers = LastReaders(plan_);
  const auto value = [&](int index) -> const NodeValues& { return index == kNetworkInput ? input_ : values[index]; };
  for (size_t i = 0; i < plan_.nodes.size(); ++i) {
    const PlannedNode& node = plan_.nodes[i];
    const NodeValues& inputs = value(node.input);
    switch (node.kind) {
      case NodeKind::kConv:
        values[i] =
            EstimateConv(store, ranges, node, inputs, node.has_residual ? &value(node.residual) : nullptr, point);
        if (sqnr != nullptr) {
          sqnr->push_back(
              SqnrOf(statistics_.samples[node.layer], values[i].codes[0], values[i].step, values[i].zero, offsets_[i]));
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
        EstimateHead(store, ranges, node, inputs, head_units, point);
        if (sqnr != nullptr) {
          sqnr->push_back(
              SqnrOf(statistics_.samples[node.layer], HeadLogits(store, node, inputs.codes[0], point), 1, 0));
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

NormEstimator::NodeValues NormEstimator::EstimateConv(std::span<const LayerStore> store, const PointRanges& ranges,
                                                      const PlannedNode& node, const NodeValues& inputs,
                                                      const NodeValues* residual, ArtifactPoint& point) const {
  const torch::Tensor weights = ChildWeights(store[node.layer], ranges.weights[node.layer], plan_, node);
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
  const bool adds = node.has_residual && node.residual != kNetworkInput;
  CountFrom(offsets_[plan_.layers[node.layer]], adds ? offsets_[node.residual] : std::vector<float>(), affine);
  const Chunks* added = residual != nullptr ? &residual->codes : nullptr;
  if (residual != nullptr) {
    affine.residual_step = residual->step;
    affine.residual_zero = residual->zero;
  }
  LayerEpilogue layer{.weights = ranges.weights[node.layer], .highest_code = ranges.highest_codes[node.layer]};
  const ActivationRange output = FitOutput(node, affine, SampleValues(sums, added, affine), layer);
  NodeValues values{.codes = {}, .step = output.step, .zero = output.zero};
  for (size_t i = 0; i < sums.size(); ++i) {
    const torch::Tensor* codes = added != nullptr ? &(*added)[i] : nullptr;
    values.codes.push_back(EngineCodes(sums[i], codes, layer));
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

torch::Tensor NormEstimator::HeadLogits(std::span<const LayerStore> store, const PlannedNode& node,
                                        const torch::Tensor& inputs, const ArtifactPoint& point) const {
  const LayerEpilogue& layer = point.layers.back();
  const torch::Tensor weights = ChildWeights(store[node.layer], layer.weights, plan_, node);
  const torch::Tensor sums = torch::matmul(Flatten(inputs).to(weights.scalar_type()), weights.t());
  return sums * torch::tensor(layer.scale) + torch::tensor(layer.bias);
}

void NormEstimator::EstimateHead(std::span<const LayerStore> store, const PointRanges& ranges, const PlannedNode& node,
                                 const NodeValues& inputs, std::span<const double> units, ArtifactPoint& point) const {
  const CodeRange& range = ranges.weights[node.layer];
  const torch::Tensor weights = ChildWeights(store[node.layer], range, plan_, node);
  Moments moments(node.out.channels);
  for (const torch::Tensor& x : inputs.codes) {
    moments.Add(torch::matmul(Flatten(x).to(weights.scalar_type()), weights.t()));
  }
  LayerEpilogue layer{.weights = range};
  for (int64_t o = 0; o < node.out.channels; ++o) {
    const double unit = units.empty() ? double{store[node.layer].scale[o]} * range.step : units[o];
    const double scale = inputs.step * unit;
    layer.scale.push_back(static_cast<float>(scale));
    layer.bias.push_back(static_cast<float>(statistics_.layers[node.layer].mean[o] - scale * moments.mean(o)));
  }
  point.layers.push_back(std::move(layer));
}

}  // namespace anybit::model::train
