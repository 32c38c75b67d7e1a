#include "model/format/zero_points.h"

#include <cmath>
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

int64_t ZeroCodeOf(const NetworkPlan& plan, const ArtifactPoint& point, int index) {
  if (index == kNetworkInput || !plan.nodes[index].has_zero) {
    const bool sums = index != kNetworkInput && plan.nodes[index].kind == NodeKind::kGlobalPool;
    return sums ? plan.nodes[index].pooled() * ZeroCodeOf(plan, point, plan.nodes[index].input) : 0;
  }
  const PlannedNode& node = plan.nodes[index];
  if (node.kind == NodeKind::kMaxPool) return ZeroCodeOf(plan, point, node.input);
  if (node.kind == NodeKind::kGate) return point.gates[node.gate].zero_code;
  const LayerEpilogue& layer = point.layers[node.layer];
  return node.activation.is_tabled() ? layer.zero_code : ZeroPointOf(node, layer.highest_code);
}

int InputPadding(const NetworkPlan& plan, int64_t channel) {
  return plan.padding_code.empty() ? 0 : static_cast<int>(std::nearbyint(plan.padding_code[channel]));
}

void FoldZeroPoints(Artifact& artifact) {
  const NetworkPlan plan = *PlanNetwork(artifact.spec);
  for (ArtifactPoint& point : artifact.points) {
    if (point.full_precision) continue;
    for (int index : plan.layers) {
      const PlannedNode& node = plan.nodes[index];
      LayerEpilogue& layer = point.layers[node.layer];
      const int64_t of_input = ZeroCodeOf(plan, point, node.input);
      // A table takes care of its own.
      double shift = node.activation.is_tabled() ? 0 : static_cast<double>(ZeroCodeOf(plan, point, index));
      if (node.has_residual) {
        shift -= double{layer.residual_scale} * static_cast<double>(ZeroCodeOf(plan, point, node.residual));
      }
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
