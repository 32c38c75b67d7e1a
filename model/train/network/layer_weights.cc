#include "model/train/network/layer_weights.h"

#include <algorithm>
#include <cmath>

#include "model/train/network/fake_quant.h"

namespace anybit::model::train {
namespace {

constexpr double kSmallestScale = 1e-8;  // of a layer of zeros, which must not divide by 0

// [O] as [O, 1, ...], which broadcasts over `like` [O, ...].
torch::Tensor PerFilter(const torch::Tensor& values, const torch::Tensor& like) {
  std::vector<int64_t> shape(like.dim(), 1);
  shape[0] = like.size(0);
  return values.reshape(shape);
}

torch::Tensor Rows(const torch::Tensor& values) { return values.reshape({values.size(0), -1}); }

// Values of filters [O] reduced to values of groups. Filters have equal sizes, so that the mean of their means is the
// mean of the group.
template <typename Reduce>
torch::Tensor PerGroup(const torch::Tensor& values, int group, Reduce reduce) {
  const int64_t filters = values.size(0);
  if (group == 1) return values;
  if (group == 0 || group >= filters) return reduce(values.reshape({1, filters}));
  const int64_t whole = filters / group * group;
  const torch::Tensor first = reduce(values.slice(0, 0, whole).reshape({-1, group}));
  if (whole == filters) return first;
  return torch::cat({first, reduce(values.slice(0, whole).reshape({1, filters - whole}))});
}

// Values of groups repeated for each of their filters [O].
torch::Tensor Spread(const torch::Tensor& values, int group, int64_t filters) {
  if (group == 1) return values;
  if (group == 0 || group >= filters) return values.expand({filters}).contiguous();
  return values.repeat_interleave(group).slice(0, 0, filters).contiguous();
}

torch::Tensor GroupMean(const torch::Tensor& values, int group) {
  return PerGroup(values, group, [](const torch::Tensor& rows) { return rows.mean(1); });
}

torch::Tensor GroupLargest(const torch::Tensor& values, int group) {
  return PerGroup(values, group, [](const torch::Tensor& rows) { return rows.amax(1); });
}

torch::Tensor GroupSum(const torch::Tensor& values, int group) {
  return PerGroup(values, group, [](const torch::Tensor& rows) { return rows.sum(1); });
}

// Whether rounding does not saturate: the weight is at most half a step beyond the outermost codes.
torch::Tensor Inside(const torch::Tensor& steps, const CodeRange& range) {
  return (steps >= range.lo - 0.5).logical_and(steps <= range.hi + 0.5);
}

}  // namespace

int64_t GroupCount(int64_t filters, int group) { return group == 0 ? 1 : (filters + group - 1) / group; }

LayerWeights::LayerWeights(torch::Tensor weights, torch::Tensor learned, const WeightQuantization& quantization)
    : weights_(std::move(weights)), learned_(std::move(learned)), quantization_(quantization) {
  ResetLearned();
}

void LayerWeights::Refresh() {
  base_ = scale_ = codes_ = full_ = torch::Tensor();
  children_.clear();
}

torch::Tensor LayerWeights::Centred(const torch::Tensor& values) const {
  if (!quantization_.center) return values;
  return values - PerFilter(Rows(values).mean(1), values);
}

torch::Tensor LayerWeights::Leaf(const torch::Tensor& values) const {
  torch::Tensor leaf = values.dim() == 4 ? values.contiguous(torch::MemoryFormat::ChannelsLast) : values.contiguous();
  return leaf.detach().set_requires_grad(true);
}

void LayerWeights::ResetLearned() {
  if (!learned_.defined()) return;
  torch::NoGradGuard no_gradient;
  const torch::Tensor rms = GroupMean(Rows(Centred(weights_)).square().mean(1), quantization_.group).sqrt();
  learned_.copy_(quantization_.reach * rms);
  Refresh();
}

void LayerWeights::Clip() {
  if (quantization_.rule != WeightRule::kScaleClip) return;
  torch::NoGradGuard no_gradient;
  const torch::Tensor centred = Centred(weights_);
  const torch::Tensor reach = quantization_.reach * GroupMean(Rows(centred).abs().mean(1), quantization_.group);
  const torch::Tensor limit = PerFilter(Spread(reach, quantization_.group, centred.size(0)), centred);
  weights_.add_(torch::minimum(torch::maximum(centred, -limit), limit) - centred);
  Refresh();
}

void LayerWeights::Prepare() {
  if (codes_.defined()) return;
  torch::NoGradGuard no_gradient;
  const int group = quantization_.group;
  base_ = Centred(weights_.detach());
  const torch::Tensor rows = Rows(base_);
  torch::Tensor reach;  // per group
  switch (quantization_.rule) {
    case WeightRule::kRms: reach = quantization_.reach * GroupMean(rows.square().mean(1), group).sqrt(); break;
    case WeightRule::kScaleClip: reach = quantization_.reach * GroupMean(rows.abs().mean(1), group); break;
    case WeightRule::kLargest: reach = GroupLargest(rows.abs().amax(1), group); break;
    case WeightRule::kLearned: reach = learned_.detach(); break;
    case WeightRule::kDoReFa: {
      const torch::Tensor squashed = base_.tanh();
      const torch::Tensor largest = GroupLargest(Rows(squashed).abs().amax(1), group).clamp_min(kSmallestScale);
      base_ = squashed / PerFilter(Spread(largest, group, base_.size(0)), base_);
      reach = torch::ones_like(largest);
      break;
    }
  }
  scale_ = Spread((reach / 127.0).clamp_min(kSmallestScale), group, base_.size(0));
  codes_ = StoreCodes(base_, PerFilter(scale_, base_));
}

torch::Tensor LayerWeights::Codes() {
  Prepare();
  return codes_;
}

torch::Tensor LayerWeights::Scale() {
  Prepare();
  return scale_;
}

torch::Tensor LayerWeights::Unit(const CodeRange& range) {
  Prepare();
  torch::NoGradGuard no_gradient;
  if (!range.sign) return scale_ * range.step;
  // The mean magnitude is the least-squares factor of a sign (XNOR-Net).
  const torch::Tensor magnitude = GroupMean(Rows(base_).abs().mean(1), quantization_.group).clamp_min(kSmallestScale);
  return Spread(magnitude, quantization_.group, base_.size(0));
}

torch::Tensor LayerWeights::Full() {
  if (!full_.defined()) {
    torch::NoGradGuard no_gradient;
    full_ = Leaf(Centred(weights_.detach()));
  }
  return full_;
}

torch::Tensor LayerWeights::Child(const CodeRange& range, double scale_factor) {
  for (const ChildValues& child : children_) {
    if (child.range == range && child.scale_factor == scale_factor) return child.leaf;
  }
  Prepare();
  torch::NoGradGuard no_gradient;
  ChildValues& child = children_.emplace_back(ChildValues{.range = range, .scale_factor = scale_factor});
  child.codes = ChildCodes(codes_, range);
  child.leaf = Leaf(child.codes * PerFilter(Unit(range), base_));
  return child.leaf;
}

torch::Tensor LayerWeights::ThroughRounding(const ChildValues& child) {
  const torch::Tensor gradient = child.leaf.grad();
  const CodeRange& range = child.range;
  if (range.sign) {
    if (quantization_.sign_window == 0) return gradient;
    return gradient * (base_.abs() <= quantization_.sign_window * PerFilter(Unit(range), base_));
  }
  if (!learned_.defined() && !quantization_.clip_gradient) return gradient;
  const torch::Tensor steps = base_ / PerFilter(scale_ * range.step, base_);
  const torch::Tensor inside = Inside(steps, range);
  if (learned_.defined()) {
    // The gradient of value = scale * t * code by scale: t (code - steps) inside the range, t * limit outside.
    const torch::Tensor of_scale = gradient * (child.codes - steps * inside) * range.step;
    const torch::Tensor sums = GroupSum(Rows(of_scale).sum(1), quantization_.group);
    const double elements = static_cast<double>(base_.numel()) / static_cast<double>(sums.numel());
    torch::Tensor& total = learned_.mutable_grad();
    if (!total.defined()) total = torch::zeros_like(learned_.detach());
    total += sums * (child.scale_factor * 127.0 / std::sqrt(elements * 127.0));
  }
  return quantization_.clip_gradient ? gradient * inside : gradient;
}

std::vector<torch::Tensor> LayerWeights::leaves() const {
  std::vector<torch::Tensor> leaves;
  if (full_.defined()) leaves.push_back(full_);
  for (const ChildValues& child : children_) leaves.push_back(child.leaf);
  return leaves;
}

void LayerWeights::PullBack() {
  torch::NoGradGuard no_gradient;
  torch::Tensor total;
  const auto add = [&](const torch::Tensor& gradient) { total = total.defined() ? total + gradient : gradient; };
  for (ChildValues& child : children_) {
    if (!child.leaf.grad().defined()) continue;
    add(ThroughRounding(child));
    child.leaf.mutable_grad().reset();
  }
  if (total.defined() && quantization_.rule == WeightRule::kDoReFa) {
    // The largest magnitude counts as a constant: it only scales the layer, and batch norm removes that scale.
    const torch::Tensor squashed = Centred(weights_.detach()).tanh();
    const torch::Tensor largest =
        GroupLargest(Rows(squashed).abs().amax(1), quantization_.group).clamp_min(kSmallestScale);
    total = total * (1 - squashed.square()) / PerFilter(Spread(largest, quantization_.group, base_.size(0)), base_);
  }
  if (full_.defined() && full_.grad().defined()) {
    add(full_.grad());
    full_.mutable_grad().reset();
  }
  if (!total.defined()) return;
  total = Centred(total);
  torch::Tensor& gradient = weights_.mutable_grad();
  gradient = (gradient.defined() ? gradient + total : total).contiguous();
}

}  // namespace anybit::model::train
