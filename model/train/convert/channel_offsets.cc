#include "model/train/convert/channel_offsets.h"

#include <cstddef>

namespace anybit::model::train {
namespace {

bool IsPool(const PlannedNode& node) { return node.kind == NodeKind::kMaxPool || node.kind == NodeKind::kGlobalPool; }

// The node before pools, whose channels node `index` gives, or the network's input.
int Origin(const NetworkPlan& plan, int index) {
  while (index != kNetworkInput && IsPool(plan.nodes[index])) index = plan.nodes[index].input;
  return index;
}

// By node: whether its zero code may stand for another value than 0.
std::vector<bool> Movable(const NetworkPlan& plan) {
  std::vector<bool> movable;
  for (const PlannedNode& node : plan.nodes) {
    movable.push_back(node.kind == NodeKind::kConv && !node.relu && node.activation.is_none());
  }
  for (const PlannedNode& node : plan.nodes) {
    const bool multiplies = node.kind == NodeKind::kGate;
    const int read = Origin(plan, node.input), second = node.has_residual ? Origin(plan, node.residual) : kNetworkInput;
    if ((multiplies || node.padding > 0) && read != kNetworkInput) movable[read] = false;
    if (multiplies && second != kNetworkInput) movable[second] = false;
  }
  return movable;
}

}  // namespace

std::vector<std::vector<float>> ChannelOffsets(const NetworkPlan& plan, const std::vector<ChannelExtents>& extents) {
  const std::vector<bool> movable = Movable(plan);
  std::vector<std::vector<float>> offsets(plan.nodes.size());
  for (size_t i = 0; i < plan.nodes.size(); ++i) {
    const PlannedNode& node = plan.nodes[i];
    if (IsPool(node) && node.input != kNetworkInput) offsets[i] = offsets[node.input];
    if (!movable[i]) continue;
    const ChannelExtents& of_layer = extents[node.layer];
    for (size_t c = 0; c < of_layer.low.size(); ++c) offsets[i].push_back((of_layer.low[c] + of_layer.high[c]) / 2);
  }
  return offsets;
}

}  // namespace anybit::model::train
