#include "model/train/network/trainable_network.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "model/engine/torch_weights.h"
#include "model/format/bfloat16.h"
#include "model/format/zero_points.h"
#include "model/train/network/fake_quant.h"
#include "model/train/network/initial_weights.h"
#include "model/train/network/synchronized_batch_norm.h"

namespace anybit::model::train {
namespace {

// LibTorch allows no dots in the names of parameters.
std::string ParameterName(absl::string_view name) { return absl::StrReplaceAll(name, {{".", "_"}}); }

// Rounded to bfloat16 at a point of such numbers, and so is the gradient.
torch::Tensor InPrecisionOf(const PointRecipe& point, const torch::Tensor& x) {
  return point.weight_bits == kBfloat16Bits ? x.to(torch::kBFloat16).to(x.scalar_type()) : x;
}

}  // namespace

TrainableNetworkImpl::TrainableNetworkImpl(NetworkSpec spec, std::vector<PointRecipe> points, const Recipe& recipe,
                                           uint64_t seed)
    : spec_(std::move(spec)), plan_(*PlanNetwork(spec_)), points_(std::move(points)), recipe_(recipe) {
  std::mt19937_64 random(seed);
  switches_.resize(points_.size());
  for (int index : plan_.layers) AddLayer(plan_.nodes[index], random);
}

void TrainableNetworkImpl::AddLayer(const PlannedNode& node, std::mt19937_64& random) {
  const std::string name = ParameterName(node.name);
  weights_.push_back(register_parameter(name + "_weight", InitialWeights(node, random)));
  if (node.kind != NodeKind::kConv) head_bias_ = register_parameter(name + "_bias", torch::zeros({node.out.channels}));
  WeightQuantization quantization;  // of the first and the last layer: nothing is clipped
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
    switches_[p].push_back(node.kind == NodeKind::kConv ? MakeSwitch(static_cast<PointIndex>(p), node) : Switch());
  }
}

TrainableNetworkImpl::Switch TrainableNetworkImpl::MakeSwitch(PointIndex point, const PlannedNode& node) {
  const std::string prefix = absl::StrCat(ParameterName(points_[point].name), "_", ParameterName(node.name), "_");
  Switch made{.gamma = register_parameter(prefix + "gamma", torch::ones({node.out.channels})),
              .beta = register_parameter(prefix + "beta", torch::zeros({node.out.channels})),
              .mean = register_buffer(prefix + "mean", torch::zeros({node.out.channels})),
              .variance = register_buffer(prefix + "variance", torch::ones({node.out.channels}))};
  if (points_[point].full_precision) return made;
  const ActivationParameter activation = ActivationOf(point, node.layer);
  if (activation.learned()) made.step = register_parameter(prefix + activation.name(), activation.Initial());
  if (activation.measured()) made.step = register_buffer(prefix + activation.name(), activation.Initial());
  return made;
}

bool TrainableNetworkImpl::IsWide(int layer) const {
  return layer == 0 || layer + 1 == static_cast<int>(plan_.layers.size());
}

CodeRange TrainableNetworkImpl::WeightRange(PointIndex point, int layer) const {
  return IsWide(layer) ? CodeRange{} : points_[point].weights;
}

torch::Tensor TrainableNetworkImpl::PointWeights(PointIndex point, int layer) {
  if (points_[point].full_precision) return InPrecisionOf(points_[point], layers_[layer].Full());
  const double factor = std::pow(10.0, -recipe_.scale_decades * (8 - points_[point].weight_bits));
  return layers_[layer].Child(WeightRange(point, layer), factor);
}

int TrainableNetworkImpl::ZeroPoint(PointIndex point, int layer) const {
  return ZeroPointOf(plan_.layer(layer), points_[point].highest_code);
}

ActivationParameter TrainableNetworkImpl::ActivationOf(PointIndex point, int layer) const {
  const int zero = ZeroPoint(point, layer);
  return ActivationParameter(recipe_.activations, std::max(points_[point].highest_code - zero, zero),
                             recipe_.activation_reach);
}

torch::Tensor TrainableNetworkImpl::ActivationStep(PointIndex point, int layer) const {
  return ActivationOf(point, layer).StepOf(switches_[point][layer].step, weights_[layer].options());
}

double TrainableNetworkImpl::ActivationUnit(PointIndex point, int layer) const {
  return points_[point].full_precision ? 1 : ActivationStep(point, layer).item<float>();
}

std::vector<double> TrainableNetworkImpl::NodeUnits(PointIndex point) const {
  std::vector<double> units(plan_.nodes.size(), 1.0);
  for (size_t i = 0; i < plan_.nodes.size(); ++i) {
    const PlannedNode& node = plan_.nodes[i];
    const double input = UnitOf(units, node.input);
    switch (node.kind) {
      case NodeKind::kConv: units[i] = ActivationUnit(point, node.layer); break;
      case NodeKind::kMaxPool: units[i] = input; break;
      case NodeKind::kGlobalPool: units[i] = input / static_cast<double>(node.pooled()); break;
      case NodeKind::kLinear:
      case NodeKind::kGate: break;
    }
  }
  return units;
}

double TrainableNetworkImpl::UnitOf(const std::vector<double>& node_units, int node) const {
  return node == kNetworkInput ? kPixelStep : node_units[node];
}

torch::Tensor TrainableNetworkImpl::Normalize(PointIndex point, const PlannedNode& node, const torch::Tensor& sums,
                                              bool own, double momentum) {
  const Switch& s = switches_[point][node.layer];
  const torch::Tensor gamma = own ? s.gamma : s.gamma.detach(), beta = own ? s.beta : s.beta.detach();
  if (!own) momentum = 0;
  if (group_ != nullptr) {
    return SynchronizedBatchNorm(*group_, sums, gamma, beta, s.mean, s.variance, momentum, kNormEpsilon);
  }
  const torch::Tensor none;
  return torch::batch_norm(sums, gamma, beta, own ? s.mean : none, own ? s.variance : none, /*training=*/true, momentum,
                           kNormEpsilon, /*cudnn_enabled=*/true);
}

torch::Tensor TrainableNetworkImpl::Activate(PointIndex point, int layer, const torch::Tensor& x, bool own) {
  const PointRecipe& recipe = points_[point];
  if (recipe.full_precision) return InPrecisionOf(recipe, plan_.layer(layer).relu ? torch::relu(x) : x);
  const torch::Tensor step = ActivationStep(point, layer);
  return QuantizeActivations(x, own ? step : step.detach(), recipe.highest_code, recipe_.activations,
                             recipe.highest_code == 1 ? recipe_.sign_margin : 0, ZeroPoint(point, layer));
}

TrainableNetworkImpl::Epilogue TrainableNetworkImpl::TrainingEpilogue(PointIndex point, double momentum) {
  return {.normalize =
              [=, this](PointIndex p, const PlannedNode& node, const torch::Tensor& sums) {
                return Normalize(p, node, sums, /*own=*/p == point, momentum);
              },
          .activate =
              [=, this](PointIndex p, int layer, const torch::Tensor& x) {
                if (p == point && momentum > 0) FollowActivations(p, layer, x, momentum);
                if (p == point && saturation_ != nullptr) CountBeyond(p, layer, x);
                return Activate(p, layer, x, /*own=*/p == point);
              }};
}

void TrainableNetworkImpl::FollowActivations(PointIndex point, int layer, const torch::Tensor& x, double momentum) {
  if (points_[point].full_precision || !ActivationOf(point, layer).measured()) return;
  torch::NoGradGuard no_gradient;
  torch::Tensor measured = MeasuredParameter(point, layer, x);
  if (group_ != nullptr) {
    SumOverGroup(*group_, measured);
    measured = measured / group_->size();
  }
  switches_[point][layer].step.lerp_(measured, momentum);
}

torch::Tensor TrainableNetworkImpl::MeasuredParameter(PointIndex point, int layer, const torch::Tensor& x) const {
  const torch::Tensor magnitudes = plan_.layer(layer).relu ? torch::relu(x) : x.abs();
  return ActivationOf(point, layer).FromMean(magnitudes.mean());
}

torch::Tensor TrainableNetworkImpl::Forward(PointIndex point, const torch::Tensor& images, double momentum,
                                            std::span<const PointIndex> route) {
  return RunNodes(point, images, route, plan_.nodes.size(), TrainingEpilogue(point, momentum));
}

void TrainableNetworkImpl::EstimateNorms(PointIndex point, std::span<const torch::Tensor> batches) {
  torch::NoGradGuard no_gradient;
  Epilogue served = TrainingEpilogue(point, /*momentum=*/0);
  for (size_t i = 0; i < plan_.nodes.size(); ++i) {
    const PlannedNode& measured = plan_.nodes[i];
    if (measured.kind != NodeKind::kConv) continue;
    Switch& own = switches_[point][measured.layer];
    // Per channel: the number of values, their sum, and the sum of their squares.
    const torch::Tensor moments = torch::zeros({3, measured.out.channels}, own.mean.options().dtype(torch::kFloat64));
    served.normalize = [&](PointIndex, const PlannedNode& node, const torch::Tensor& sums) {
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
    for (const torch::Tensor& images : batches) RunNodes(point, images.to(own.mean.device()), {}, i + 1, served);
    if (group_ != nullptr) SumOverGroup(*group_, moments);
    const torch::Tensor mean = moments[1] / moments[0];
    own.mean.copy_(mean);
    own.variance.copy_((moments[2] / moments[0] - mean.square()).clamp_min(0));
  }
}

void TrainableNetworkImpl::RoundBackward() { backward_ = RoundedOperands(weights_[0].device()); }

torch::Tensor TrainableNetworkImpl::RunConv(PointIndex point, const PlannedNode& node, const torch::Tensor& x,
                                            const torch::Tensor& residual, const Epilogue& epilogue) {
  const ConvolutionShape shape = {
      .stride = node.stride, .padding = node.padding, .groups = node.depthwise ? node.out.channels : 1};
  torch::Tensor y = epilogue.normalize(point, node, Convolve(x, PointWeights(point, node.layer), shape, backward_));
  if (residual.defined()) y = y + residual;
  return epilogue.activate(point, node.layer, y);
}

torch::Tensor TrainableNetworkImpl::RunNodes(PointIndex point, const torch::Tensor& images,
                                             std::span<const PointIndex> route, size_t end, const Epilogue& epilogue) {
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
    const PointIndex p = route.empty() ? point : route[i];
    const torch::Tensor x = value(node.input);
    switch (node.kind) {
      case NodeKind::kConv:
        values[i] = RunConv(p, node, x, node.has_residual ? value(node.residual) : torch::Tensor(), epilogue);
        break;
      case NodeKind::kMaxPool: values[i] = torch::max_pool2d(x, node.pool, node.stride, node.padding); break;
      case NodeKind::kGlobalPool:
        values[i] = x.mean({2, 3}).reshape({rows, node.frames, -1}).mean(1).reshape({rows, -1, 1, 1});
        break;
      case NodeKind::kGate: values[i] = x * value(node.residual); break;
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
      step.clamp_min_(ActivationOf(static_cast<PointIndex>(p), static_cast<int>(layer)).Smallest());
    }
  }
}

void TrainableNetworkImpl::WeightsChanged() {
  for (LayerWeights& layer : layers_) layer.Refresh();
}

void TrainableNetworkImpl::ResetScales() {
  for (LayerWeights& layer : layers_) layer.ResetLearned();
}

void TrainableNetworkImpl::SpreadBatchNorm(PointIndex from) {
  torch::NoGradGuard no_gradient;
  for (size_t p = 0; p < points_.size(); ++p) {
    if (static_cast<PointIndex>(p) == from) continue;
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

void TrainableNetworkImpl::CalibrateSteps(PointIndex point, const torch::Tensor& images) {
  torch::NoGradGuard no_gradient;
  Epilogue calibrating = TrainingEpilogue(point, /*momentum=*/0);
  calibrating.activate = [&](PointIndex, int layer, const torch::Tensor& x) {
    const Switch& s = switches_[point][layer];
    if (s.step.defined()) s.step.copy_(MeasuredParameter(point, layer, x));
    return Activate(point, layer, x, /*own=*/true);
  };
  RunNodes(point, images, {}, plan_.nodes.size(), calibrating);
}

void TrainableNetworkImpl::StartFrom(const Artifact& artifact, int from, PointIndex point,
                                     const torch::Tensor& images) {
  torch::NoGradGuard no_gradient;
  for (size_t layer = 0; layer < weights_.size(); ++layer) {
    weights_[layer].copy_(FullWeights(artifact.store[layer], plan_.layer(static_cast<int>(layer))));
  }
  const ArtifactPoint& source = artifact.points[from];
  head_bias_.copy_(torch::tensor(source.layers.back().bias));
  WeightsChanged();
  constexpr double kMomentum = 0.1;
  Epilogue adopting = TrainingEpilogue(point, kMomentum);
  adopting.normalize = [&](PointIndex, const PlannedNode& node, const torch::Tensor& sums) {
    const Switch& s = switches_[point][node.layer];
    const LayerEpilogue& folded = source.layers[node.layer];
    s.mean.copy_(sums.mean({0, 2, 3}));
    s.variance.copy_(sums.var({0, 2, 3}, /*unbiased=*/false));
    const torch::Tensor norm = torch::tensor(folded.scale).to(sums.device()) / UnitOf(NodeUnits(point), node.input);
    s.gamma.copy_(norm * (s.variance + kNormEpsilon).sqrt());
    s.beta.copy_(torch::tensor(folded.bias).to(sums.device()) + s.mean * norm);
    return Normalize(point, node, sums, /*own=*/true, kMomentum);
  };
  RunNodes(point, images, {}, plan_.nodes.size(), adopting);
}

std::vector<torch::Tensor> TrainableNetworkImpl::weights() const { return weights_; }

std::vector<torch::Tensor> TrainableNetworkImpl::shared() const {
  std::vector<torch::Tensor> all = weights_;
  all.insert(all.end(), scales_.begin(), scales_.end());
  all.push_back(head_bias_);
  return all;
}

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
    const std::vector<torch::Tensor> own = steps(static_cast<PointIndex>(p));
    all.insert(all.end(), own.begin(), own.end());
  }
  return all;
}

std::vector<torch::Tensor> TrainableNetworkImpl::steps(PointIndex point) const {
  std::vector<torch::Tensor> own;
  for (const Switch& s : switches_[point]) {
    if (s.step.defined() && s.step.requires_grad()) own.push_back(s.step);
  }
  return own;
}

}  // namespace anybit::model::train
