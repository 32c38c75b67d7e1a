#include "model/train/network/initial_weights.h"

#include <cmath>
#include <numbers>

namespace anybit {
namespace {

// Standard normal values by Box and Muller's method; std::normal_distribution differs between libraries.
torch::Tensor RandomNormal(const std::vector<int64_t>& shape, double deviation, std::mt19937_64& random) {
  torch::Tensor values = torch::empty(shape);
  float* out = values.data_ptr<float>();
  const auto uniform = [&] { return (static_cast<double>(random() >> 11) + 0.5) / 9007199254740992.0; };
  for (int64_t i = 0; i < values.numel(); ++i) {
    // Two statements: within one expression the compiler may choose the order of the two draws.
    const double radius = std::sqrt(-2 * std::log(uniform()));
    const double angle = 2 * std::numbers::pi * uniform();
    out[i] = static_cast<float>(deviation * radius * std::cos(angle));
  }
  return values;
}

}  // namespace

std::vector<int64_t> WeightShape(const PlannedNode& node) {
  if (node.kind != NodeKind::kConv) return {node.out.channels, node.depth};
  return {node.out.channels, node.depthwise ? 1 : node.in.channels, node.kernel, node.kernel};
}

torch::Tensor InitialWeights(const PlannedNode& node, std::mt19937_64& random) {
  const double gain = node.kind == NodeKind::kConv ? 2.0 : 1.0;
  return RandomNormal(WeightShape(node), std::sqrt(gain / static_cast<double>(node.depth)), random);
}

}  // namespace anybit
