#include "model/engine/torch_weights.h"

namespace anybit::model {
namespace {

torch::Tensor FromStoreOrder(const torch::Tensor& flat, const PlannedNode& node) {
  if (node.kind == NodeKind::kLinear) return flat.reshape({node.out.channels, node.depth});
  return flat.reshape({node.out.channels, node.kernel, node.kernel, node.depthwise ? 1 : node.in.channels})
      .permute({0, 3, 1, 2})
      .contiguous(torch::MemoryFormat::ChannelsLast);
}

torch::ScalarType ExactType(const torch::Tensor& codes, int64_t highest_input) {
  const double largest = codes.abs().flatten(1).sum(1).max().item<double>() * static_cast<double>(highest_input);
  return largest < 16777216.0 ? torch::kFloat32 : torch::kFloat64;
}

}  // namespace

torch::Tensor FullWeights(const LayerStore& store, const PlannedNode& node) {
  return FromStoreOrder(torch::tensor(store.full), node);
}

torch::Tensor ChildWeights(const LayerStore& store, const CodeRange& range, const NetworkPlan& plan,
                           const PlannedNode& node) {
  torch::Tensor flat = torch::empty({node.weights()});
  float* out = flat.mutable_data_ptr<float>();
  for (int64_t i = 0; i < node.weights(); ++i) out[i] = static_cast<float>(ChildCode(store.q8[i], range));
  int64_t highest_input = 255;
  if (const PlannedNode* pool = plan.PoolReadBy(node)) highest_input *= pool->pooled();
  const torch::Tensor weights = FromStoreOrder(flat, node);
  return weights.to(ExactType(weights, highest_input));
}

}  // namespace anybit::model
