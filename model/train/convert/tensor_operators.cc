#include "model/train/convert/tensor_operators.h"

#include <algorithm>

namespace anybit::model::train {
namespace {

constexpr int64_t kChunkRows = 32;

}  // namespace

Chunks ToChunks(const NetworkPlan& plan, std::span<const uint8_t> images) {
  const FeatureShape& shape = plan.input;
  const int64_t rows = static_cast<int64_t>(images.size()) / plan.input_elements();
  Chunks chunks;
  for (int64_t first = 0; first < rows; first += kChunkRows) {
    const int64_t count = std::min(kChunkRows, rows - first);
    chunks.push_back(torch::from_blob(const_cast<uint8_t*>(images.data()) + first * plan.input_elements(),
                                      {count * plan.frames, shape.height, shape.width, shape.channels}, torch::kUInt8)
                         .permute({0, 3, 1, 2})
                         .clone());
  }
  return chunks;
}

torch::Tensor PerChannel(const std::vector<float>& values) { return torch::tensor(values).reshape({1, -1, 1, 1}); }

torch::Tensor Flatten(const torch::Tensor& x) { return x.permute({0, 2, 3, 1}).reshape({x.size(0), -1}); }

torch::Tensor ConvolutionSums(const PlannedNode& node, const torch::Tensor& x, const torch::Tensor& weights,
                              int64_t padding) {
  return torch::conv2d(x.to(weights.scalar_type()), weights, {}, node.stride, padding, /*dilation=*/1,
                       node.depthwise ? node.out.channels : 1);
}

torch::Tensor Pool(const PlannedNode& node, const torch::Tensor& x) {
  if (node.kind == NodeKind::kMaxPool) {
    return torch::max_pool2d(x.to(torch::kFloat32), node.pool, node.stride, node.padding);
  }
  const torch::Tensor sums = x.to(torch::kFloat64).sum({2, 3}).reshape({-1, node.frames, node.out.channels}).sum(1);
  return sums.reshape({-1, node.out.channels, 1, 1}).to(torch::kFloat32);
}

torch::Tensor Activated(const Activation& activation, const torch::Tensor& x) {
  const double alpha = activation.alpha;
  switch (activation.function) {
    case proto::Activation::CLIP: return torch::clamp(x, 0, alpha);
    case proto::Activation::HARD_SIGMOID: return torch::clamp(x * alpha + activation.beta, 0, 1);
    case proto::Activation::HARD_SWISH: return x * torch::clamp(x / 6 + 0.5, 0, 1);
    case proto::Activation::SIGMOID: return torch::sigmoid(x);
    case proto::Activation::SILU: return x * torch::sigmoid(x);
    case proto::Activation::GELU: return torch::gelu(x);
    case proto::Activation::GELU_TANH: return torch::gelu(x, "tanh");
    case proto::Activation::LEAKY_RELU: return torch::leaky_relu(x, alpha);
    case proto::Activation::ELU: return torch::elu(x, alpha);
    case proto::Activation::TANH: return torch::tanh(x);
    case proto::Activation::SOFTPLUS: return torch::softplus(x);
    case proto::Activation::MISH: return x * torch::tanh(torch::softplus(x));
    default: return x;
  }
}

torch::Tensor WithBorder(const torch::Tensor& codes, int64_t padding, const std::vector<float>& border) {
  const int64_t height = codes.size(2), width = codes.size(3);
  torch::Tensor padded = torch::zeros({codes.size(0), codes.size(1), height + 2 * padding, width + 2 * padding});
  if (!border.empty()) padded += PerChannel(border);
  padded.slice(2, padding, padding + height).slice(3, padding, padding + width).copy_(codes);
  return padded;
}

}  // namespace anybit::model::train
