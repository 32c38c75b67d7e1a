#include "model/format/zero_points.h"

#include <vector>

#include "model/format/code_range.h"

namespace anybit::model {
namespace {

// The sum of each output's weight codes at a point.
std::vector<int64_t> WeightSums(const PlannedNode& node, const LayerStore& store, const CodeRange& range) {
  std::vector<int64_t> sums(node.out.channels, 0);
  for (int64_t i = 0; i < node.weights(); ++i) sums[i / node.depth] += ChildCode(store.q8[i], range);
  return sums;
}

}  // namespace

void FoldZeroPoints(Artifact& artifact) {
  const NetworkPlan plan = *PlanNetwork(artifact.spec);
  for (ArtifactPoint& point : artifact.points) {
    if (point.full_precision) continue;
    // Pools read tensors with ReLU only.
    const auto zero_point = [&](int index) {
      if (index == kNetworkInput || plan.nodes[index].kind != NodeKind::kConv) return 0;
      return ZeroPointOf(plan.nodes[index], point.layers[plan.nodes[index].layer].highest_code);
    };
    for (int index : plan.layers) {
      const PlannedNode& node = plan.nodes[index];
      if (node.kind != NodeKind::kConv) continue;
      LayerEpilogue& layer = point.layers[node.layer];
      const int of_input = zero_point(node.input);
      double shift = zero_point(index);
      if (node.has_residual) shift -= double{layer.residual_scale} * zero_point(node.residual);
      std::vector<int64_t> sums;
      if (of_input != 0) sums = WeightSums(node, artifact.store[node.layer], layer.weights);
      for (int64_t o = 0; o < node.out.channels; ++o) {
        const double of_window = of_input == 0 ? 0 : double{layer.scale[o]} * static_cast<double>(of_input * sums[o]);
        layer.bias[o] = static_cast<float>(layer.bias[o] + shift - of_window);
      }
    }
  }
}

}  // namespace anybit::model
