#include "model/train/network/initial_weights.h"

#include <cmath>

#include "base/random.h"

namespace anybit::model::train {
namespace {

torch::Tensor RandomNormal(const std::vector<int64_t>& shape, double deviation, std::mt19937_64& random) {
  torch::Tensor values = torch::empty(shape);
  float* out = values.data_ptr<float>();
  for (int64_t i = 0; i < values.numel(); ++i) out[i] = static_cast<float>(NormalFromMidpoints(random, deviation));
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

}  // namespace anybit::model::train
