#include "model/train/trainable_network.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <random>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "model/quant/requantize.h"
#include "model/train/synchronized_batch_norm.h"
#include "model/zero_points.h"

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

TrainableNetworkImpl::TrainableNetworkImpl(NetworkSpec spec, std::vector<PointRecipe> points, uint64_t seed)
    : spec_(std::move(spec)), plan_(*PlanNetwork(spec_)), points_(std::move(points)) {
  std::mt19937_64 random(seed);
  switches_.resize(points_.size());
  for (int index : plan_.layers) {
    const PlannedNode& node = plan_.nodes[index];
    const std::string name = ParameterName(node.name);
    const bool conv = node.kind == NodeKind::kConv;
    const int64_t channels = node.depthwise ? 1 : node.in.channels;
    const std::vector<int64_t> shape = conv ? std::vector<int64_t>{node.out.channels, channels, node.kernel, node.kernel}
                                            : std::vector<int64_t>{node.out.channels, node.depth};
    const double deviation = std::sqrt((conv ? 2.0 : 1.0) / static_cast<double>(node.depth));
    weights_.push_back(register_parameter(name + "_weight", RandomNormal(shape, deviation, random)));
    if (!conv) head_bias_ = register_parameter(name + "_bias", torch::zeros({node.out.channels}));
    for (size_t p = 0; p < points_.size(); ++p) {
      Switch& s = switches_[p].emplace_back();
      if (!conv) continue;
      const std::string prefix = absl::StrCat(ParameterName(points_[p].name), "_", name);
      s.gamma = register_parameter(prefix + "_gamma", torch::ones({node.out.channels}));
      s.beta = register_parameter(prefix + "_beta", torch::zeros({node.out.channels}));
      s.mean = register_buffer(prefix + "_mean", torch::zeros({node.out.channels}));
      s.variance = register_buffer(prefix + "_variance", torch::ones({node.out.channels}));
      if (!points_[p].full_precision) {
        const float step = 0.8f / std::sqrt(static_cast<float>(points_[p].highest_code));
        s.step = register_parameter(prefix + "_step", torch::full({1}, step));
      }
    }
  }
}

bool TrainableNetworkImpl::IsWide(int layer) const {
  return layer == 0 || layer + 1 == static_cast<int>(plan_.layers.size());
}

CodeRange TrainableNetworkImpl::WeightRange(int point, int layer) const {
  return IsWide(layer) ? CodeRange{} : points_[point].weights;
}

torch::Tensor TrainableNetworkImpl::LayerWeights(int point, int layer) const {
  if (points_[point].full_precision) return weights_[layer];
  return QuantizeWeights(weights_[layer], WeightStore(layer), WeightRange(point, layer));
}

std::vector<double> TrainableNetworkImpl::Units(int point, int layer) const {
  const torch::Tensor& w = weights_[layer];
  if (points_[point].full_precision) return std::vector<double>(w.size(0), 1.0);
  return ToVector<double>(ChildUnit(w, StoreScale(w, WeightStore(layer)), WeightRange(point, layer)), torch::kFloat64);
}

double TrainableNetworkImpl::ActivationStep(int point, int layer) const {
  if (points_[point].full_precision) return 1;
  return std::max(switches_[point][layer].step.item<float>(), kSmallestStep);
}

torch::Tensor TrainableNetworkImpl::Activate(int point, int layer, const torch::Tensor& x) {
  const PointRecipe& recipe = points_[point];
  const bool relu = plan_.layer(layer).relu;
  if (recipe.full_precision) return relu ? torch::relu(x) : x;
  Switch& s = switches_[point][layer];
  const int zero = ZeroPointOf(plan_.layer(layer), recipe.highest_code);
  if (calibrating_) {
    torch::NoGradGuard no_gradient;
    const double levels = relu ? recipe.highest_code : zero;  // on the wider side of 0
    s.step.copy_(2 * (relu ? torch::relu(x) : x.abs()).mean().reshape({1}) / std::sqrt(levels));
  }
  return QuantizeActivations(x, s.step.clamp_min(kSmallestStep), recipe.highest_code, zero);
}

torch::Tensor TrainableNetworkImpl::Forward(int point, const torch::Tensor& images, double momentum) {
  const FeatureShape& shape = plan_.input;
  const int64_t rows = images.size(0);
  const torch::Tensor input = (images.to(torch::kFloat32) * kPixelStep)
                                  .reshape({rows * plan_.frames, shape.height, shape.width, shape.channels})
                                  .permute({0, 3, 1, 2})
                                  .contiguous(torch::MemoryFormat::ChannelsLast);
  std::vector<torch::Tensor> values(plan_.nodes.size());
  const auto value = [&](int index) { return index == kNetworkInput ? input : values[index]; };
  for (size_t i = 0; i < plan_.nodes.size(); ++i) {
    const PlannedNode& node = plan_.nodes[i];
    const torch::Tensor x = value(node.input);
    switch (node.kind) {
      case NodeKind::kConv: {
        const Switch& s = switches_[point][node.layer];
        const torch::Tensor w = LayerWeights(point, node.layer).contiguous(torch::MemoryFormat::ChannelsLast);
        torch::Tensor y = torch::conv2d(x, w, {}, node.stride, node.padding, /*dilation=*/1,
                                        node.depthwise ? node.out.channels : 1);
        y = group_ != nullptr
                ? SynchronizedBatchNorm(*group_, y, s.gamma, s.beta, s.mean, s.variance, momentum, kNormEpsilon)
                : torch::batch_norm(y, s.gamma, s.beta, s.mean, s.variance, /*training=*/true, momentum, kNormEpsilon,
                                    /*cudnn_enabled=*/true);
        if (node.has_residual) y = y + value(node.residual);
        values[i] = Activate(point, node.layer, y);
        break;
      }
      case NodeKind::kMaxPool:
        values[i] = torch::max_pool2d(x, node.pool, node.stride, node.padding);
        break;
      case NodeKind::kGlobalPool:
        values[i] = x.mean({2, 3}).reshape({rows, node.frames, -1}).mean(1).reshape({rows, -1, 1, 1});
        break;
      case NodeKind::kLinear:
        values[i] = torch::linear(x.permute({0, 2, 3, 1}).reshape({x.size(0), -1}), LayerWeights(point, node.layer),
                                  head_bias_);
        break;
    }
  }
  return values.back();
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
  Forward(point, images);
  calibrating_ = false;
}

LayerEpilogue TrainableNetworkImpl::ExportConv(int point, const PlannedNode& node, double input_step,
                                               double residual_step) const {
  const PointRecipe& recipe = points_[point];
  const Switch& s = switches_[point][node.layer];
  const auto gamma = ToVector<double>(s.gamma, torch::kFloat64), beta = ToVector<double>(s.beta, torch::kFloat64);
  const auto mean = ToVector<double>(s.mean, torch::kFloat64), variance = ToVector<double>(s.variance, torch::kFloat64);
  const std::vector<double> unit = Units(point, node.layer);
  const double output_step = ActivationStep(point, node.layer);
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

LayerEpilogue TrainableNetworkImpl::ExportHead(int point, const PlannedNode& node, double input_step) const {
  LayerEpilogue layer{.weights = WeightRange(point, node.layer), .bias = ToVector<float>(head_bias_, torch::kFloat32)};
  for (double u : Units(point, node.layer)) layer.scale.push_back(static_cast<float>(input_step * u));
  return layer;
}

Artifact TrainableNetworkImpl::Export() const {
  torch::NoGradGuard no_gradient;
  Artifact artifact;
  artifact.spec = spec_;
  bool full = false;
  for (const PointRecipe& recipe : points_) full |= recipe.full_precision;
  for (size_t layer = 0; layer < weights_.size(); ++layer) {
    const torch::Tensor scale = StoreScale(weights_[layer], WeightStore(static_cast<int>(layer)));
    LayerStore& store = artifact.store.emplace_back();
    store.q8 = ToVector<int8_t>(ToStoreOrder(StoreCodes(weights_[layer], scale)), torch::kInt8);
    store.scale = ToVector<float>(scale, torch::kFloat32);
    if (full) store.full = ToVector<float>(ToStoreOrder(weights_[layer]), torch::kFloat32);
  }
  for (size_t p = 0; p < points_.size(); ++p) {
    const PointRecipe& recipe = points_[p];
    ArtifactPoint& point = artifact.points.emplace_back();
    point.info = {.name = recipe.name, .weight_bits = recipe.weight_bits, .activation_bits = recipe.activation_bits};
    point.full_precision = recipe.full_precision;
    // Real value of one code of each node's output. Activations of the full-precision point are real values themselves.
    std::vector<double> steps(plan_.nodes.size(), 1.0);
    const auto step = [&](int index) { return index == kNetworkInput ? kPixelStep : steps[index]; };
    for (size_t i = 0; i < plan_.nodes.size(); ++i) {
      const PlannedNode& node = plan_.nodes[i];
      switch (node.kind) {
        case NodeKind::kConv:
          point.layers.push_back(ExportConv(static_cast<int>(p), node, step(node.input), step(node.residual)));
          steps[i] = ActivationStep(static_cast<int>(p), node.layer);
          break;
        case NodeKind::kMaxPool:
          steps[i] = step(node.input);
          break;
        case NodeKind::kGlobalPool:
          steps[i] = step(node.input) / static_cast<double>(node.pooled());
          break;
        case NodeKind::kLinear:
          point.layers.push_back(ExportHead(static_cast<int>(p), node, step(node.input)));
          break;
      }
    }
  }
  FoldZeroPoints(artifact);
  return artifact;
}

std::vector<torch::Tensor> TrainableNetworkImpl::weights() const { return weights_; }

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
  for (const auto& layers : switches_) {
    for (const Switch& s : layers) {
      if (s.step.defined()) all.push_back(s.step);
    }
  }
  return all;
}

}  // namespace anybit
