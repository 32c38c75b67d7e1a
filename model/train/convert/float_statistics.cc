#include "model/train/convert/float_statistics.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "model/engine/torch_weights.h"
#include "model/train/convert/input_moments.h"
#include "model/train/convert/moments.h"

namespace anybit::model::train {
namespace {

// Values of all layers that are kept as samples: 64 MiB.
constexpr int64_t kSampleValues = int64_t{1} << 24;

class FloatRun {
 public:
  FloatRun(const NetworkPlan& plan, const Artifact& artifact, const ArtifactPoint& point,
           const std::vector<float>& border, int64_t rows, int64_t moment_places)
      : plan_(plan), point_(point), border_(border) {
    for (size_t i = 0; i < plan_.layers.size(); ++i) {
      const PlannedNode& node = plan_.layer(static_cast<int>(i));
      weights_.push_back(FullWeights(artifact.store[i], node));
      moments_.emplace_back(node.out.channels);
      input_moments_.emplace_back(node, rows, moment_places);
      extents_.emplace_back();
      values_ += node.out.elements();
    }
  }

  // The logits of one chunk; adds its values to the moments.
  torch::Tensor Run(const torch::Tensor& images) {
    std::vector<torch::Tensor> values(plan_.nodes.size());
    for (size_t i = 0; i < plan_.nodes.size(); ++i) {
      const PlannedNode& node = plan_.nodes[i];
      const torch::Tensor& x = node.input == kNetworkInput ? images : values[node.input];
      switch (node.kind) {
        case NodeKind::kMaxPool:
        case NodeKind::kGlobalPool: values[i] = Pool(node, x); break;
        case NodeKind::kLinear: values[i] = RunLinear(node, x); break;
        case NodeKind::kGate: values[i] = x * values[node.residual]; break;
        case NodeKind::kConv: {
          const bool adds_input = node.has_residual && node.residual == kNetworkInput;
          values[i] = RunConv(node, x,
                              !node.has_residual ? torch::Tensor()
                              : adds_input       ? images
                                                 : values[node.residual]);
          break;
        }
      }
    }
    return values.back().contiguous();
  }

  const Moments& moments(size_t layer) const { return moments_[layer]; }
  std::vector<torch::Tensor> TakeSamples() { return std::move(samples_); }
  std::vector<float> InputMomentsOf(size_t layer) const { return input_moments_[layer].Moments(); }
  ChannelExtents ExtentsOf(size_t layer) const {
    const auto values = [](const torch::Tensor& t) {
      return t.defined() ? std::vector<float>(t.const_data_ptr<float>(), t.const_data_ptr<float>() + t.numel())
                         : std::vector<float>();
    };
    return {.low = values(extents_[layer].low), .high = values(extents_[layer].high)};
  }

 private:
  torch::Tensor RunLinear(const PlannedNode& node, const torch::Tensor& x) {
    const LayerEpilogue& layer = point_.layers[node.layer];
    const torch::Tensor sums = torch::matmul(Flatten(x).to(torch::kFloat32), weights_[node.layer].t());
    const torch::Tensor y = sums * torch::tensor(layer.scale) + torch::tensor(layer.bias);
    moments_[node.layer].Add(y);
    Keep(y);
    return y;
  }

  // Keeps the first rows of a layer's output, of the first chunk only.
  void Keep(const torch::Tensor& y) {
    if (samples_.size() == moments_.size()) return;
    samples_.push_back(y.slice(0, 0, std::max<int64_t>(1, kSampleValues / values_)).clone());
  }

  torch::Tensor RunConv(const PlannedNode& node, const torch::Tensor& x, const torch::Tensor& residual) {
    const LayerEpilogue& layer = point_.layers[node.layer];
    const torch::Tensor& w = weights_[node.layer];
    const torch::Tensor padded =
        WithBorder(x, node.padding, node.input == kNetworkInput ? border_ : std::vector<float>());
    input_moments_[node.layer].Add(padded);
    torch::Tensor y = ConvolutionSums(node, padded, w, /*padding=*/0);
    y = y * PerChannel(layer.scale) + PerChannel(layer.bias);
    moments_[node.layer].Add(y);
    if (residual.defined()) y = y + residual.to(torch::kFloat32) * layer.residual_scale;
    if (node.relu) y = torch::relu(y);
    y = Activated(node.activation, y);
    Keep(y);
    Extend(y, extents_[node.layer]);
    return y;
  }

  struct Extents {
    torch::Tensor low, high;
  };

  static void Extend(const torch::Tensor& y, Extents& extents) {
    const torch::Tensor low = y.amin({0, 2, 3}).contiguous(), high = y.amax({0, 2, 3}).contiguous();
    extents.low = extents.low.defined() ? torch::minimum(extents.low, low) : low;
    extents.high = extents.high.defined() ? torch::maximum(extents.high, high) : high;
  }

  const NetworkPlan& plan_;
  const ArtifactPoint& point_;
  const std::vector<float>& border_;
  std::vector<torch::Tensor> weights_;          // by layer
  std::vector<Moments> moments_;                // by layer
  std::vector<InputMomentSums> input_moments_;  // by layer
  std::vector<Extents> extents_;                // by layer
  std::vector<torch::Tensor> samples_;          // by layer
  int64_t values_ = 0;                          // of one row, in all layers
};

}  // namespace

FloatStatistics MeasureFloatPoint(const NetworkPlan& plan, const Artifact& artifact, const ArtifactPoint& point,
                                  const Chunks& images, const std::vector<float>& border, int64_t moment_places) {
  int64_t rows = 0;
  for (const torch::Tensor& chunk : images) rows += chunk.size(0) / plan.frames;
  FloatRun run(plan, artifact, point, border, rows, moment_places);
  FloatStatistics statistics;
  for (const torch::Tensor& chunk : images) {
    const torch::Tensor logits = run.Run(chunk);
    const float* data = logits.const_data_ptr<float>();
    statistics.logits.insert(statistics.logits.end(), data, data + logits.numel());
  }
  statistics.samples = run.TakeSamples();
  for (size_t i = 0; i < plan.layers.size(); ++i) {
    FloatStatistics::Layer& layer = statistics.layers.emplace_back();
    for (int64_t c = 0; c < plan.layer(static_cast<int>(i)).out.channels; ++c) {
      layer.mean.push_back(run.moments(i).mean(c));
      layer.deviation.push_back(run.moments(i).deviation(c));
    }
    for (const float scale : point.layers[i].scale) layer.falls.push_back(scale < 0);
    layer.input_moments = run.InputMomentsOf(i);
    statistics.extents.push_back(run.ExtentsOf(i));
  }
  return statistics;
}

}  // namespace anybit::model::train
