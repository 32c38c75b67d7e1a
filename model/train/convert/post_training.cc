#include "model/train/convert/post_training.h"

#include <torch/torch.h>

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

namespace anybit {
namespace {

constexpr int64_t kRowsAtOnce = 32;
constexpr int64_t kStepValues = 1 << 16;  // that a step is chosen by: a standard error of the error below a percent
constexpr double kPixelStep = 1.0 / 255;

// A node's values for all images, [rows, C, H, W] in chunks.
using Chunks = std::vector<torch::Tensor>;

// Sums of a channel's values, then their mean and deviation; in double, where they do not cancel.
class Moments {
 public:
  explicit Moments(int64_t channels)
      : sum_(torch::zeros({channels}, torch::kFloat64)), squares_(torch::zeros({channels}, torch::kFloat64)) {}

  // values [rows, channels, ...]
  void Add(const torch::Tensor& values) {
    const torch::Tensor flat = values.to(torch::kFloat64).transpose(0, 1).reshape({values.size(1), -1});
    sum_ += flat.sum(1);
    squares_ += (flat * flat).sum(1);
    count_ += flat.size(1);
  }

  double mean(int64_t channel) const { return sum_.const_data_ptr<double>()[channel] / static_cast<double>(count_); }
  double deviation(int64_t channel) const {
    const double square = squares_.const_data_ptr<double>()[channel] / static_cast<double>(count_);
    return std::sqrt(std::max(0.0, square - mean(channel) * mean(channel)));
  }

 private:
  torch::Tensor sum_, squares_;
  int64_t count_ = 0;
};

// What the fp32 point has before the addition and the ReLU of a layer; of the last layer, its logits.
struct LayerMoments {
  std::vector<double> mean, deviation;

  explicit LayerMoments(const Moments& moments, int64_t channels) {
    for (int64_t c = 0; c < channels; ++c) {
      mean.push_back(moments.mean(c));
      deviation.push_back(moments.deviation(c));
    }
  }
};

torch::Tensor PerChannel(const std::vector<float>& values) { return torch::tensor(values).reshape({1, -1, 1, 1}); }

torch::Tensor Flat(const torch::Tensor& x) { return x.permute({0, 2, 3, 1}).reshape({x.size(0), -1}); }

class NormEstimatorImpl : public NormEstimator {
 public:
  NormEstimatorImpl(const Artifact& artifact, const ArtifactPoint& full, std::span<const uint8_t> images,
                    std::vector<float> border)
      : artifact_(artifact), plan_(*PlanNetwork(artifact.spec)), border_(std::move(border)) {
    const FeatureShape& shape = plan_.input;
    const int64_t rows = static_cast<int64_t>(images.size()) / plan_.input_elements();
    for (int64_t first = 0; first < rows; first += kRowsAtOnce) {
      const int64_t count = std::min(kRowsAtOnce, rows - first);
      images_.push_back(torch::from_blob(const_cast<uint8_t*>(images.data()) + first * plan_.input_elements(),
                                         {count * plan_.frames, shape.height, shape.width, shape.channels},
                                         torch::kUInt8)
                            .permute({0, 3, 1, 2})
                            .clone());
    }
    RunFloat(full);
  }

  std::span<const float> float_logits() const override { return float_logits_; }

  absl::StatusOr<ArtifactPoint> Estimate(const PointRanges& ranges, std::span<const double> head_units) const override {
    if (absl::Status status = Check(ranges); !status.ok()) return status;
    ArtifactPoint point{.info = ranges.info};
    try {
      torch::NoGradGuard no_gradient;
      EstimateLayers(ranges, head_units, point);
    } catch (const std::exception& error) {
      return absl::InternalError(absl::StrCat("LibTorch: ", error.what()));
    }
    return point;
  }

 private:
  absl::Status Check(const PointRanges& ranges) const {
    if (ranges.weights.size() != plan_.layers.size() || ranges.highest_codes.size() != plan_.layers.size()) {
      return absl::InvalidArgumentError(
          absl::StrCat("point '", ranges.info.name, "' has ranges of ", ranges.weights.size(), " weights and ",
                       ranges.highest_codes.size(), " activations for ", plan_.layers.size(), " layers"));
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

  // Convolution and pooling without weights of their own, whatever the element type.
  static torch::Tensor Convolve(const PlannedNode& node, const torch::Tensor& x, const torch::Tensor& weights,
                                int64_t padding) {
    return torch::conv2d(x.to(weights.scalar_type()), weights, {}, node.stride, padding, /*dilation=*/1,
                         node.depthwise ? node.out.channels : 1);
  }
  static torch::Tensor Pool(const PlannedNode& node, const torch::Tensor& x) {
    if (node.kind == NodeKind::kMaxPool) {
      return torch::max_pool2d(x.to(torch::kFloat32), node.pool, node.stride, node.padding);
    }
    // Of the frames of one row together.
    const torch::Tensor sums = x.to(torch::kFloat64).sum({2, 3}).reshape({-1, node.frames, node.out.channels}).sum(1);
    return sums.reshape({-1, node.out.channels, 1, 1}).to(torch::kFloat32);
  }

  // The image with the float network's own border around it.
  torch::Tensor Bordered(const torch::Tensor& codes, int64_t padding) const {
    const int64_t height = codes.size(2), width = codes.size(3);
    torch::Tensor padded = torch::zeros({codes.size(0), codes.size(1), height + 2 * padding, width + 2 * padding});
    if (!border_.empty()) padded += PerChannel(border_);
    padded.slice(2, padding, padding + height).slice(3, padding, padding + width).copy_(codes);
    return padded;
  }

  // The fp32 point on all images, chunk after chunk: moments of its layers, and its logits.
  void RunFloat(const ArtifactPoint& full) {
    std::vector<torch::Tensor> weights;
    std::vector<Moments> moments;
    for (size_t i = 0; i < plan_.layers.size(); ++i) {
      const PlannedNode& node = plan_.layer(static_cast<int>(i));
      weights.push_back(FullWeights(artifact_.store[i], node));
      moments.emplace_back(node.out.channels);
    }
    for (const torch::Tensor& images : images_) {
      std::vector<torch::Tensor> values(plan_.nodes.size());
      for (size_t i = 0; i < plan_.nodes.size(); ++i) {
        const PlannedNode& node = plan_.nodes[i];
        const bool first = node.input == kNetworkInput;
        const torch::Tensor& x = first ? images : values[node.input];
        if (node.kind == NodeKind::kMaxPool || node.kind == NodeKind::kGlobalPool) {
          values[i] = Pool(node, x);
          continue;
        }
        const LayerEpilogue& layer = full.layers[node.layer];
        const torch::Tensor& w = weights[node.layer];
        if (node.kind == NodeKind::kLinear) {
          const torch::Tensor sums = torch::matmul(Flat(x).to(torch::kFloat32), w.t());
          values[i] = sums * torch::tensor(layer.scale) + torch::tensor(layer.bias);
          moments[node.layer].Add(values[i]);
          continue;
        }
        torch::Tensor y = first ? Convolve(node, Bordered(x, node.padding), w, 0) : Convolve(node, x, w, node.padding);
        y = y * PerChannel(layer.scale) + PerChannel(layer.bias);
        moments[node.layer].Add(y);
        if (node.has_residual) {
          const torch::Tensor& added = node.residual == kNetworkInput ? images : values[node.residual];
          y = y + added.to(torch::kFloat32) * layer.residual_scale;
        }
        values[i] = node.relu ? torch::relu(y) : y;
      }
      const torch::Tensor logits = values.back().contiguous();
      const float* data = logits.const_data_ptr<float>();
      float_logits_.insert(float_logits_.end(), data, data + logits.numel());
    }
    for (size_t i = 0; i < plan_.layers.size(); ++i) {
      float_moments_.emplace_back(moments[i], plan_.layer(static_cast<int>(i)).out.channels);
      std::vector<bool>& falls = falls_.emplace_back();
      for (const float scale : full.layers[i].scale) falls.push_back(scale < 0);
    }
  }

  // Real value before ReLU and quantization: sums * scale + bias, per channel, and what is added.
  struct Affine {
    std::vector<float> scale, bias;
    double residual_step = 0;
    int residual_zero = 0;  // the code of what is added that stands for 0
  };

  // Gives the sums of each channel the moments of the fp32 point. A channel whose sums are all alike gets the mean
  // alone.
  Affine MatchMoments(const PlannedNode& node, const Moments& moments) const {
    const LayerMoments& wanted = float_moments_[node.layer];
    Affine affine;
    for (int64_t o = 0; o < node.out.channels; ++o) {
      constexpr double kSmallest = 1e-6;  // of whole numbers
      double scale = moments.deviation(o) < kSmallest ? 0 : wanted.deviation[o] / moments.deviation(o);
      if (falls_[node.layer][o]) scale = -scale;
      affine.scale.push_back(static_cast<float>(scale));
      affine.bias.push_back(static_cast<float>(wanted.mean[o] - scale * moments.mean(o)));
    }
    return affine;
  }

  static double ChooseStep(const Chunks& sums, const Chunks* residual, const Affine& affine, int highest, int zero) {
    int64_t total = 0;
    for (const torch::Tensor& chunk : sums) total += chunk.numel();
    // Without a common factor with the size of a map the stride comes to all its places.
    const int64_t map = sums[0].size(2) * sums[0].size(3);
    int64_t stride = std::max<int64_t>(1, total / kStepValues);
    while (std::gcd(stride, map) != 1) ++stride;
    const float residual_zero = static_cast<float>(affine.residual_zero);
    const float residual_step = static_cast<float>(affine.residual_step);
    std::vector<float> values;
    for (size_t i = 0; i < sums.size(); ++i) {
      const torch::Tensor sum = sums[i].contiguous();
      const int32_t* in = sum.const_data_ptr<int32_t>();
      const torch::Tensor added =
          residual != nullptr ? (*residual)[i].to(torch::kFloat32).contiguous() : torch::Tensor();
      const float* add = residual != nullptr ? added.const_data_ptr<float>() : nullptr;
      const int64_t area = sum.size(2) * sum.size(3), channels = sum.size(1);
      for (int64_t j = 0; j < sum.numel(); j += stride) {
        const int64_t o = j / area % channels;
        const float x = static_cast<float>(in[j]) * affine.scale[o] + affine.bias[o];
        values.push_back(add == nullptr ? x : x + (add[j] - residual_zero) * residual_step);
      }
    }
    return BestActivationStep(values, highest, zero);
  }

  // The codes that the engine computes.
  static torch::Tensor Codes(const torch::Tensor& sums, const torch::Tensor* residual, const LayerEpilogue& layer) {
    const torch::Tensor acc = sums.contiguous(), added = residual != nullptr ? residual->contiguous() : torch::Tensor();
    torch::Tensor codes = torch::empty(acc.sizes(), torch::kUInt8);
    const int32_t* in = acc.const_data_ptr<int32_t>();
    const uint8_t* add = residual != nullptr ? added.const_data_ptr<uint8_t>() : nullptr;
    uint8_t* out = codes.mutable_data_ptr<uint8_t>();
    const int64_t area = acc.size(2) * acc.size(3), channels = acc.size(1);
    for (int64_t i = 0; i < acc.numel(); ++i) {
      const int64_t o = i / area % channels;
      out[i] = add == nullptr ? Requantize(in[i], layer.scale[o], layer.bias[o], layer.highest_code)
                              : RequantizeWithResidual(in[i], layer.scale[o], layer.bias[o], add[i],
                                                       layer.residual_scale, layer.highest_code);
    }
    return codes;
  }

  void EstimateLayers(const PointRanges& ranges, std::span<const double> head_units, ArtifactPoint& point) const {
    std::vector<Chunks> values(plan_.nodes.size());
    std::vector<double> steps(plan_.nodes.size());
    std::vector<int> last_reader(plan_.nodes.size(), -1);
    for (size_t i = 0; i < plan_.nodes.size(); ++i) {
      const PlannedNode& node = plan_.nodes[i];
      for (const int read : {node.input, node.has_residual ? node.residual : kNetworkInput}) {
        if (read != kNetworkInput) last_reader[read] = static_cast<int>(i);
      }
    }
    const auto value = [&](int index) -> const Chunks& { return index == kNetworkInput ? images_ : values[index]; };
    const auto step = [&](int index) { return index == kNetworkInput ? kPixelStep : steps[index]; };
    for (size_t i = 0; i < plan_.nodes.size(); ++i) {
      const PlannedNode& node = plan_.nodes[i];
      const Chunks& inputs = value(node.input);
      switch (node.kind) {
        case NodeKind::kConv: {
          const Chunks* residual = node.has_residual ? &value(node.residual) : nullptr;
          const double residual_step = node.has_residual ? step(node.residual) : 0;
          steps[i] = EstimateConv(ranges, node, inputs, residual, residual_step, point, values[i]);
          break;
        }
        case NodeKind::kMaxPool:
          for (const torch::Tensor& x : inputs) values[i].push_back(Pool(node, x).to(torch::kUInt8));
          steps[i] = step(node.input);
          break;
        case NodeKind::kGlobalPool:
          for (const torch::Tensor& x : inputs) values[i].push_back(Pool(node, x));
          steps[i] = step(node.input) / static_cast<double>(node.pooled());
          break;
        case NodeKind::kLinear: EstimateHead(ranges, node, inputs, step(node.input), head_units, point); break;
      }
      for (size_t j = 0; j < i; ++j) {
        if (last_reader[j] == static_cast<int>(i)) values[j].clear();
      }
    }
  }

  // Appends the layer to `point`, fills its codes and returns their step.
  double EstimateConv(const PointRanges& ranges, const PlannedNode& node, const Chunks& inputs, const Chunks* residual,
                      double residual_step, ArtifactPoint& point, Chunks& codes) const {
    const torch::Tensor weights = ChildWeights(artifact_.store[node.layer], ranges.weights[node.layer], plan_, node);
    Chunks sums;
    Moments moments(node.out.channels);
    for (const torch::Tensor& x : inputs) {
      sums.push_back(Convolve(node, x, weights, node.padding).to(torch::kInt32));
      moments.Add(sums.back());
    }
    Affine affine = MatchMoments(node, moments);
    affine.residual_step = residual_step;
    if (node.has_residual && node.residual != kNetworkInput) {
      const PlannedNode& added = plan_.nodes[node.residual];
      if (added.kind == NodeKind::kConv) affine.residual_zero = ZeroPointOf(added, ranges.highest_codes[added.layer]);
    }
    LayerEpilogue layer{.weights = ranges.weights[node.layer], .highest_code = ranges.highest_codes[node.layer]};
    const int zero = ZeroPointOf(node, layer.highest_code);
    const double step = ChooseStep(sums, residual, affine, layer.highest_code, zero);
    if (node.has_residual) layer.residual_scale = static_cast<float>(residual_step / step);
    // Zero points of what the sums are made of are in their mean already, which the bias makes up for.
    const double zeros = zero - double{layer.residual_scale} * affine.residual_zero;
    for (size_t o = 0; o < affine.scale.size(); ++o) {
      layer.scale.push_back(ExactScale(affine.scale[o] / step));
      layer.bias.push_back(static_cast<float>(affine.bias[o] / step + zeros));
    }
    for (size_t i = 0; i < sums.size(); ++i) {
      codes.push_back(Codes(sums[i], residual != nullptr ? &(*residual)[i] : nullptr, layer));
    }
    point.layers.push_back(std::move(layer));
    return step;
  }

  // Logits keep the scale that weights and activations have; their means are the fp32 point's.
  void EstimateHead(const PointRanges& ranges, const PlannedNode& node, const Chunks& inputs, double input_step,
                    std::span<const double> units, ArtifactPoint& point) const {
    const CodeRange& range = ranges.weights[node.layer];
    const torch::Tensor weights = ChildWeights(artifact_.store[node.layer], range, plan_, node);
    Moments moments(node.out.channels);
    for (const torch::Tensor& x : inputs) moments.Add(torch::matmul(Flat(x).to(weights.scalar_type()), weights.t()));
    LayerEpilogue layer{.weights = range};
    for (int64_t o = 0; o < node.out.channels; ++o) {
      const double unit = units.empty() ? double{artifact_.store[node.layer].scale[o]} * range.step : units[o];
      const double scale = input_step * unit;
      layer.scale.push_back(static_cast<float>(scale));
      layer.bias.push_back(static_cast<float>(float_moments_[node.layer].mean[o] - scale * moments.mean(o)));
    }
    point.layers.push_back(std::move(layer));
  }

  const Artifact& artifact_;
  const NetworkPlan plan_;
  const std::vector<float> border_;
  Chunks images_;
  std::vector<LayerMoments> float_moments_;  // by layer
  std::vector<std::vector<bool>> falls_;     // by layer and channel: the fp32 point's value falls as the sum rises
  std::vector<float> float_logits_;
};

}  // namespace

PointRanges UniformRanges(const PointRecipe& recipe, int layers) {
  PointRanges ranges{
      .info = {.name = recipe.name, .weight_bits = recipe.weight_bits, .activation_bits = recipe.activation_bits},
      .weights = std::vector<CodeRange>(layers, recipe.weights),
      .highest_codes = std::vector<int>(layers, recipe.highest_code)};
  ranges.weights.front() = ranges.weights.back() = CodeRange{};
  return ranges;
}

absl::StatusOr<std::unique_ptr<NormEstimator>> NormEstimator::Create(const Artifact& artifact,
                                                                     std::span<const uint8_t> images,
                                                                     std::vector<float> border) {
  if (absl::Status status = ValidateArtifact(artifact); !status.ok()) return status;
  const ArtifactPoint* full = FullPrecisionPoint(artifact);
  if (full == nullptr)
    return absl::InvalidArgumentError("an artifact without an fp32 point has nothing to estimate from");
  const NetworkPlan plan = *PlanNetwork(artifact.spec);
  if (images.empty() || images.size() % static_cast<size_t>(plan.input_elements()) != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(images.size(), " codes are no whole number of images of ", plan.input_elements()));
  }
  if (!border.empty() && static_cast<int64_t>(border.size()) != plan.input.channels) {
    return absl::InvalidArgumentError(
        absl::StrCat("a border of ", border.size(), " channels for ", plan.input.channels));
  }
  std::unique_ptr<NormEstimator> estimator;
  try {
    torch::NoGradGuard no_gradient;
    estimator = std::make_unique<NormEstimatorImpl>(artifact, *full, images, std::move(border));
  } catch (const std::exception& error) {
    return absl::InternalError(absl::StrCat("LibTorch: ", error.what()));
  }
  return estimator;
}

absl::StatusOr<Artifact> QuantizeAfterTraining(const Artifact& full, const std::vector<PointRecipe>& points,
                                               std::span<const uint8_t> images, std::vector<float> border,
                                               Rounding rounding, const JointRoundingOptions& options) {
  const ArtifactPoint* source = FullPrecisionPoint(full);
  if (source == nullptr) return absl::InvalidArgumentError("the artifact has no full-precision point");
  const absl::StatusOr<NetworkPlan> plan = PlanNetwork(full.spec);
  if (!plan.ok()) return plan.status();
  const int layers = static_cast<int>(plan->layers.size());
  std::vector<PointRanges> wanted;
  for (const PointRecipe& recipe : points) {
    if (!recipe.full_precision) wanted.push_back(UniformRanges(recipe, layers));
  }
  if (wanted.empty()) return absl::InvalidArgumentError("no quantized operating point is wanted");

  Artifact artifact{.spec = full.spec, .version = full.version, .store = full.store, .points = {*source}};
  std::vector<double> head_units;
  for (int i = 0; i < layers; ++i) {
    std::vector<CodeRange> ranges;
    for (const PointRanges& point : wanted) {
      if (std::find(ranges.begin(), ranges.end(), point.weights[i]) == ranges.end()) ranges.push_back(point.weights[i]);
    }
    LayerStore& store = artifact.store[i];
    const int64_t outputs = plan->layer(i).out.channels;
    RoundedWeights rounded = rounding == Rounding::kJoint ? RoundJointly(store.full, outputs, ranges, options)
                                                          : RoundToNearest(store.full, outputs, ranges);
    store.q8 = std::move(rounded.q8);
    store.scale = std::move(rounded.scale);
    if (i + 1 == layers) head_units = std::move(rounded.units.front());
  }
  const absl::StatusOr<std::unique_ptr<NormEstimator>> estimator =
      NormEstimator::Create(artifact, images, std::move(border));
  if (!estimator.ok()) return estimator.status();
  std::vector<ArtifactPoint> estimated;
  size_t next = 0;
  bool keeps_full = false;
  for (const PointRecipe& recipe : points) {
    if (recipe.full_precision) {
      estimated.push_back(*source);
      keeps_full = true;
      continue;
    }
    absl::StatusOr<ArtifactPoint> point = (*estimator)->Estimate(wanted[next++], head_units);
    if (!point.ok()) return point.status();
    estimated.push_back(*std::move(point));
  }
  artifact.points = std::move(estimated);
  if (!keeps_full) {
    for (LayerStore& store : artifact.store) store.full.clear();
  }
  return artifact;
}

}  // namespace anybit
