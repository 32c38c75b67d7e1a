#include "model/train/network/trainable_network.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <random>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "model/engine/torch_weights.h"
#include "model/format/requantize.h"
#include "model/format/zero_points.h"
#include "model/train/network/fake_quant.h"
#include "model/train/network/synchronized_batch_norm.h"

namespace anybit {
namespace {

constexpr double kNormEpsilon = 1e-5;
constexpr double kPixelStep = 1.0 / 255;  // real value of one image code
constexpr float kSmallestStep = 1e-4f;

// Standard normal values by Box and Muller's method; std::normal_distribution differs between libraries.
torch::Tensor RandomNormal(std::vector<int64_t> shape, double deviation, std::mt19937_64& random) {
  torch::Tensor values = torch::empty(shape);
  float* out = values.data_ptr<float>();
  const auto uniform = [&] { return (static_cast<double>(random() >> 11) + 0.5) / 9007199254740992.0; };
  for (int64_t i = 0; i < values.numel(); ++i) {
    // Drawn one after the other: the order of two calls in one expression is the compiler's.
    const double radius = std::sqrt(-2 * std::log(uniform()));
    const double angle = 2 * std::numbers::pi * uniform();
    out[i] = static_cast<float>(deviation * radius * std::cos(angle));
  }
  return values;
}

// Parameter names may not hold dots.
std::string ParameterName(absl::string_view name) { return absl::StrReplaceAll(name, {{".", "_"}}); }

template <typename T>
std::vector<T> ToVector(const torch::Tensor& values, torch::ScalarType type) {
  const torch::Tensor flat = values.detach().to(torch::kCPU, type).contiguous().reshape({-1});
  const T* data = flat.const_data_ptr<T>();
  return std::vector<T>(data, data + flat.numel());
}

// [O, C, k, k] to the artifact's [O, k, k, C]; linear weights already are in order.
torch::Tensor ToStoreOrder(const torch::Tensor& weights) {
  return weights.dim() == 4 ? weights.permute({0, 2, 3, 1}) : weights;
}

}  // namespace

TrainableNetworkImpl::TrainableNetworkImpl(NetworkSpec spec, std::vector<PointRecipe> points, const Recipe& recipe,
                                           uint64_t seed)
    : spec_(std::move(spec)), plan_(*PlanNetwork(spec_)), points_(std::move(points)), recipe_(recipe) {
  std::mt19937_64 random(seed);
  switches_.resize(points_.size());
  for (int index : plan_.layers) {
    const PlannedNode& node = plan_.nodes[index];
    const std::string name = ParameterName(node.name);
    const bool conv = node.kind == NodeKind::kConv;
    const int64_t channels = node.depthwise ? 1 : node.in.channels;
    const std::vector<int64_t> shape = conv
                                           ? std::vector<int64_t>{node.out.channels, channels, node.kernel, node.kernel}
                                           : std::vector<int64_t>{node.out.channels, node.depth};
    const double deviation = std::sqrt((conv ? 2.0 : 1.0) / static_cast<double>(node.depth));
    weights_.push_back(register_parameter(name + "_weight", RandomNormal(shape, deviation, random)));
    if (!conv) head_bias_ = register_parameter(name + "_bias", torch::zeros({node.out.channels}));
    WeightQuantization quantization;  // of the wide layers: nothing is clipped
    torch::Tensor learned;
    if (!IsWide(node.layer)) {
      quantization = {.rule = recipe_.weights,
                      .reach = recipe_.reach,
                      .group = recipe_.group,
                      .center = recipe_.center,
                      .clip_gradient = recipe_.clip_gradient,
                      .sign_window = recipe_.sign_window};
      if (recipe_.weights == WeightRule::kLearned) {
        learned = register_parameter(name + "_scale", torch::ones({GroupCount(node.out.channels, recipe_.group)}));
        scales_.push_back(learned);
      }
    }
    layers_.emplace_back(weights_.back(), learned, quantization);
    for (size_t p = 0; p < points_.size(); ++p) {
      Switch& s = switches_[p].emplace_back();
      if (!conv) continue;
      const std::string prefix = absl::StrCat(ParameterName(points_[p].name), "_", name);
      s.gamma = register_parameter(prefix + "_gamma", torch::ones({node.out.channels}));
      s.beta = register_parameter(prefix + "_beta", torch::zeros({node.out.channels}));
      s.mean = register_buffer(prefix + "_mean", torch::zeros({node.out.channels}));
      s.variance = register_buffer(prefix + "_variance", torch::ones({node.out.channels}));
      if (points_[p].full_precision || recipe_.activations == ActivationRule::kUnit) continue;
      const float levels = static_cast<float>(ActivationLevels(static_cast<int>(p), node.layer));
      const bool clip = recipe_.activations == ActivationRule::kPact;
      s.step = register_parameter(prefix + (clip ? "_clip" : "_step"),
                                  torch::full({1}, 0.8f / std::sqrt(levels) * (clip ? levels : 1.0f)));
    }
  }
}

bool TrainableNetworkImpl::IsWide(int layer) const {
  return layer == 0 || layer + 1 == static_cast<int>(plan_.layers.size());
}

CodeRange TrainableNetworkImpl::WeightRange(int point, int layer) const {
  return IsWide(layer) ? CodeRange{} : points_[point].weights;
}

torch::Tensor TrainableNetworkImpl::PointWeights(int point, int layer) {
  if (points_[point].full_precision) return layers_[layer].Full();
  const double factor = std::pow(10.0, -recipe_.scale_decades * (8 - points_[point].weight_bits));
  return layers_[layer].Child(WeightRange(point, layer), factor);
}

std::vector<double> TrainableNetworkImpl::Units(int point, int layer) {
  if (points_[point].full_precision) return std::vector<double>(weights_[layer].size(0), 1.0);
  return ToVector<double>(layers_[layer].Unit(WeightRange(point, layer)), torch::kFloat64);
}

int TrainableNetworkImpl::ZeroPoint(int point, int layer) const {
  return ZeroPointOf(plan_.layer(layer), points_[point].highest_code);
}

double TrainableNetworkImpl::ActivationLevels(int point, int layer) const {
  return std::max(points_[point].highest_code - ZeroPoint(point, layer), ZeroPoint(point, layer));
}

torch::Tensor TrainableNetworkImpl::ActivationStep(int point, int layer) const {
  const torch::Tensor& step = switches_[point][layer].step;
  const double levels = ActivationLevels(point, layer);
  switch (recipe_.activations) {
    case ActivationRule::kLearnedStep: return step.clamp_min(kSmallestStep);
    case ActivationRule::kPact: return (step / levels).clamp_min(kSmallestStep);
    case ActivationRule::kUnit: break;
  }
  return torch::full({1}, 1.0 / levels, weights_[layer].options().requires_grad(false));
}

double TrainableNetworkImpl::ActivationUnit(int point, int layer) const {
  return points_[point].full_precision ? 1 : ActivationStep(point, layer).item<float>();
}

std::vector<double> TrainableNetworkImpl::NodeUnits(int point) const {
  std::vector<double> units(plan_.nodes.size(), 1.0);
  for (size_t i = 0; i < plan_.nodes.size(); ++i) {
    const PlannedNode& node = plan_.nodes[i];
    const double input = node.input == kNetworkInput ? kPixelStep : units[node.input];
    switch (node.kind) {
      case NodeKind::kConv: units[i] = ActivationUnit(point, node.layer); break;
      case NodeKind::kMaxPool: units[i] = input; break;
      case NodeKind::kGlobalPool: units[i] = input / static_cast<double>(node.pooled()); break;
      case NodeKind::kLinear: break;
    }
  }
  return units;
}

torch::Tensor TrainableNetworkImpl::Normalize(int point, const PlannedNode& node, const torch::Tensor& sums, bool own,
                                              double momentum) {
  Switch& s = switches_[point][node.layer];
  if (adopted_ != nullptr) {
    torch::NoGradGuard no_gradient;
    const LayerEpilogue& layer = adopted_->layers[node.layer];
    const double input_unit = node.input == kNetworkInput ? kPixelStep : NodeUnits(point)[node.input];
    s.mean.copy_(sums.mean({0, 2, 3}));
    s.variance.copy_(sums.var({0, 2, 3}, /*unbiased=*/false));
    const torch::Tensor norm = torch::tensor(layer.scale).to(sums.device()) / input_unit;
    s.gamma.copy_(norm * (s.variance + kNormEpsilon).sqrt());
    s.beta.copy_(torch::tensor(layer.bias).to(sums.device()) + s.mean * norm);
  }
  const torch::Tensor gamma = own ? s.gamma : s.gamma.detach(), beta = own ? s.beta : s.beta.detach();
  if (!own) momentum = 0;
  if (group_ != nullptr) {
    return SynchronizedBatchNorm(*group_, sums, gamma, beta, s.mean, s.variance, momentum, kNormEpsilon);
  }
  const torch::Tensor none;
  return torch::batch_norm(sums, gamma, beta, own ? s.mean : none, own ? s.variance : none, /*training=*/true, momentum,
                           kNormEpsilon, /*cudnn_enabled=*/true);
}

torch::Tensor TrainableNetworkImpl::Activate(int point, int layer, const torch::Tensor& x, bool own) {
  const PointRecipe& point_recipe = points_[point];
  const bool relu = plan_.layer(layer).relu;
  if (point_recipe.full_precision) return relu ? torch::relu(x) : x;
  const int highest = point_recipe.highest_code;
  Switch& s = switches_[point][layer];
  if (calibrating_ && s.step.defined()) {
    torch::NoGradGuard no_gradient;
    const double levels = ActivationLevels(point, layer);
    const torch::Tensor step = 2 * (relu ? torch::relu(x) : x.abs()).mean().reshape({1}) / std::sqrt(levels);
    s.step.copy_(recipe_.activations == ActivationRule::kPact ? step * levels : step);
  }
  const torch::Tensor step = ActivationStep(point, layer);
  return QuantizeActivations(x, own ? step : step.detach(), highest, recipe_.activations,
                             highest == 1 ? recipe_.sign_margin : 0, ZeroPoint(point, layer));
}

torch::Tensor TrainableNetworkImpl::Forward(int point, const torch::Tensor& images, double momentum,
                                            std::span<const int> route) {
  return RunNodes(point, images, route, plan_.nodes.size(),
                  [&](int p, const PlannedNode& node, const torch::Tensor& sums) {
                    return Normalize(p, node, sums, /*own=*/p == point, momentum);
                  });
}

void TrainableNetworkImpl::EstimateNorms(int point, std::span<const torch::Tensor> batches) {
  torch::NoGradGuard no_gradient;
  for (size_t i = 0; i < plan_.nodes.size(); ++i) {
    const PlannedNode& measured = plan_.nodes[i];
    if (measured.kind != NodeKind::kConv) continue;
    Switch& own = switches_[point][measured.layer];
    // Per channel: how many sums, their sum, their squares' sum.
    const torch::Tensor moments = torch::zeros({3, measured.out.channels}, own.mean.options().dtype(torch::kFloat64));
    const auto normalize = [&](int, const PlannedNode& node, const torch::Tensor& sums) {
      const Switch& s = switches_[point][node.layer];
      if (&node != &measured) {
        return torch::batch_norm(sums, s.gamma, s.beta, s.mean, s.variance, /*training=*/false, /*momentum=*/0,
                                 kNormEpsilon, /*cudnn_enabled=*/true);
      }
      const torch::Tensor wide = sums.to(torch::kFloat64);
      moments[0] += static_cast<double>(sums.numel() / sums.size(1));
      moments[1] += wide.sum({0, 2, 3});
      moments[2] += wide.square().sum({0, 2, 3});
      return sums;
    };
    for (const torch::Tensor& images : batches) {
      RunNodes(point, images.to(own.mean.device()), {}, i + 1, normalize);
    }
    if (group_ != nullptr) SumOverGroup(*group_, moments);
    const torch::Tensor mean = moments[1] / moments[0];
    own.mean.copy_(mean);
    own.variance.copy_((moments[2] / moments[0] - mean.square()).clamp_min(0));
  }
}

void TrainableNetworkImpl::RoundBackward() { backward_ = RoundedOperands(weights_[0].device()); }

torch::Tensor TrainableNetworkImpl::RunNodes(int point, const torch::Tensor& images, std::span<const int> route,
                                             size_t end, const Normalization& normalize) {
  const FeatureShape& shape = plan_.input;
  const int64_t rows = images.size(0);
  const torch::Tensor input = (images.to(torch::kFloat32) * kPixelStep)
                                  .reshape({rows * plan_.frames, shape.height, shape.width, shape.channels})
                                  .permute({0, 3, 1, 2})
                                  .contiguous(torch::MemoryFormat::ChannelsLast);
  std::vector<torch::Tensor> values(end);
  const auto value = [&](int index) { return index == kNetworkInput ? input : values[index]; };
  for (size_t i = 0; i < end; ++i) {
    const PlannedNode& node = plan_.nodes[i];
    const int p = route.empty() ? point : route[i];
    const bool own = p == point;
    const torch::Tensor x = value(node.input);
    switch (node.kind) {
      case NodeKind::kConv: {
        const ConvolutionShape convolution = {
            .stride = node.stride, .padding = node.padding, .groups = node.depthwise ? node.out.channels : 1};
        torch::Tensor y = normalize(p, node, Convolve(x, PointWeights(p, node.layer), convolution, backward_));
        if (node.has_residual) y = y + value(node.residual);
        values[i] = Activate(p, node.layer, y, own);
        break;
      }
      case NodeKind::kMaxPool: values[i] = torch::max_pool2d(x, node.pool, node.stride, node.padding); break;
      case NodeKind::kGlobalPool:
        values[i] = x.mean({2, 3}).reshape({rows, node.frames, -1}).mean(1).reshape({rows, -1, 1, 1});
        break;
      case NodeKind::kLinear:
        values[i] =
            torch::linear(x.permute({0, 2, 3, 1}).reshape({x.size(0), -1}), PointWeights(p, node.layer), head_bias_);
        break;
    }
  }
  return values.back();
}

void TrainableNetworkImpl::PullBackGradients() {
  for (LayerWeights& layer : layers_) layer.PullBack();
}

void TrainableNetworkImpl::KeepInRange() {
  torch::NoGradGuard no_gradient;
  for (size_t layer = 1; layer + 1 < layers_.size(); ++layer) layers_[layer].Clip();
  for (size_t p = 0; p < points_.size(); ++p) {
    for (size_t layer = 0; layer < switches_[p].size(); ++layer) {
      torch::Tensor& step = switches_[p][layer].step;
      if (!step.defined()) continue;
      const bool clip = recipe_.activations == ActivationRule::kPact;
      step.clamp_min_(kSmallestStep * (clip ? ActivationLevels(static_cast<int>(p), static_cast<int>(layer)) : 1));
    }
  }
}

void TrainableNetworkImpl::WeightsChanged() {
  for (LayerWeights& layer : layers_) layer.Refresh();
}

void TrainableNetworkImpl::ResetScales() {
  for (LayerWeights& layer : layers_) layer.ResetLearned();
}

void TrainableNetworkImpl::SpreadBatchNorm(int from) {
  torch::NoGradGuard no_gradient;
  for (size_t p = 0; p < points_.size(); ++p) {
    if (static_cast<int>(p) == from) continue;
    for (size_t layer = 0; layer + 1 < weights_.size(); ++layer) {
      const Switch& source = switches_[from][layer];
      const Switch& target = switches_[p][layer];
      target.gamma.copy_(source.gamma);
      target.beta.copy_(source.beta);
      target.mean.copy_(source.mean);
      target.variance.copy_(source.variance);
    }
  }
}

void TrainableNetworkImpl::CalibrateSteps(int point, const torch::Tensor& images) {
  torch::NoGradGuard no_gradient;
  calibrating_ = true;
  Forward(point, images, /*momentum=*/0);
  calibrating_ = false;
}

void TrainableNetworkImpl::StartFrom(const Artifact& artifact, int from, int point, const torch::Tensor& images) {
  torch::NoGradGuard no_gradient;
  for (size_t layer = 0; layer < weights_.size(); ++layer) {
    weights_[layer].copy_(FullWeights(artifact.store[layer], plan_.layer(static_cast<int>(layer))));
  }
  head_bias_.copy_(torch::tensor(artifact.points[from].layers.back().bias));
  WeightsChanged();
  adopted_ = &artifact.points[from];
  Forward(point, images);
  adopted_ = nullptr;
}

LayerEpilogue TrainableNetworkImpl::ExportConv(int point, const PlannedNode& node, double input_step,
                                               double residual_step) {
  const PointRecipe& recipe = points_[point];
  const Switch& s = switches_[point][node.layer];
  const auto gamma = ToVector<double>(s.gamma, torch::kFloat64), beta = ToVector<double>(s.beta, torch::kFloat64);
  const auto mean = ToVector<double>(s.mean, torch::kFloat64), variance = ToVector<double>(s.variance, torch::kFloat64);
  const std::vector<double> unit = Units(point, node.layer);
  const double output_step = ActivationUnit(point, node.layer);
  LayerEpilogue layer{.weights = WeightRange(point, node.layer)};
  if (!recipe.full_precision) layer.highest_code = recipe.highest_code;
  for (size_t o = 0; o < gamma.size(); ++o) {
    const double norm = gamma[o] / std::sqrt(variance[o] + kNormEpsilon);
    const double scale = input_step * unit[o] * norm / output_step;
    layer.scale.push_back(recipe.full_precision ? static_cast<float>(scale) : ExactScale(scale));
    layer.bias.push_back(static_cast<float>((beta[o] - mean[o] * norm) / output_step));
  }
  if (node.has_residual) layer.residual_scale = static_cast<float>(residual_step / output_step);
  return layer;
}

LayerEpilogue TrainableNetworkImpl::ExportHead(int point, const PlannedNode& node, double input_step) {
  LayerEpilogue layer{.weights = WeightRange(point, node.layer), .bias = ToVector<float>(head_bias_, torch::kFloat32)};
  for (double u : Units(point, node.layer)) layer.scale.push_back(static_cast<float>(input_step * u));
  return layer;
}

Artifact TrainableNetworkImpl::Export() {
  std::vector<int> all(points_.size());
  std::iota(all.begin(), all.end(), 0);
  return Export(all);
}

Artifact TrainableNetworkImpl::Export(std::span<const int> points) {
  torch::NoGradGuard no_gradient;
  Artifact artifact;
  artifact.spec = spec_;
  bool full = false;
  for (int p : points) full |= points_[p].full_precision;
  for (LayerWeights& layer : layers_) {
    LayerStore& store = artifact.store.emplace_back();
    store.q8 = ToVector<int8_t>(ToStoreOrder(layer.Codes()), torch::kInt8);
    store.scale = ToVector<float>(layer.Scale(), torch::kFloat32);
    if (full) store.full = ToVector<float>(ToStoreOrder(layer.Full()), torch::kFloat32);
  }
  for (int p : points) {
    const PointRecipe& recipe = points_[p];
    ArtifactPoint& point = artifact.points.emplace_back();
    point.info = {.name = recipe.name, .weight_bits = recipe.weight_bits, .activation_bits = recipe.activation_bits};
    point.full_precision = recipe.full_precision;
    const std::vector<double> units = NodeUnits(p);
    const auto unit = [&](int index) { return index == kNetworkInput ? kPixelStep : units[index]; };
    for (int index : plan_.layers) {
      const PlannedNode& node = plan_.nodes[index];
      point.layers.push_back(node.kind == NodeKind::kConv ? ExportConv(p, node, unit(node.input), unit(node.residual))
                                                          : ExportHead(p, node, unit(node.input)));
    }
  }
  FoldZeroPoints(artifact);
  return artifact;
}

std::vector<torch::Tensor> TrainableNetworkImpl::weights() const { return weights_; }

std::vector<torch::Tensor> TrainableNetworkImpl::inner_weights() const {
  std::vector<torch::Tensor> inner;
  for (size_t layer = 0; layer < weights_.size(); ++layer) {
    if (!IsWide(static_cast<int>(layer))) inner.push_back(weights_[layer]);
  }
  return inner;
}

std::vector<torch::Tensor> TrainableNetworkImpl::norms() const {
  std::vector<torch::Tensor> all = {head_bias_};
  for (const auto& layers : switches_) {
    for (const Switch& s : layers) {
      if (s.gamma.defined()) all.insert(all.end(), {s.gamma, s.beta});
    }
  }
  return all;
}

std::vector<torch::Tensor> TrainableNetworkImpl::steps() const {
  std::vector<torch::Tensor> all;
  for (size_t p = 0; p < points_.size(); ++p) {
    const std::vector<torch::Tensor> own = steps(static_cast<int>(p));
    all.insert(all.end(), own.begin(), own.end());
  }
  return all;
}

std::vector<torch::Tensor> TrainableNetworkImpl::steps(int point) const {
  std::vector<torch::Tensor> own;
  for (const Switch& s : switches_[point]) {
    if (s.step.defined()) own.push_back(s.step);
  }
  return own;
}

}  // namespace anybit
