#include "model/engine/activation_plan.h"

#include <algorithm>

#include "model/kernels/cpu/pack_conv.h"
#include "model/kernels/cpu/panel_size.h"

namespace anybit::model {
namespace {

// Sets each map's border and stored channels to what its readers need. Returns the last reader of each node, -1 where
// it has none.
std::vector<int> FitMapsToReaders(const NetworkPlan& plan, ActivationPlan& activations) {
  std::vector<int> last_reader(plan.nodes.size(), -1);
  const auto read = [&](int reader, int tensor) {
    if (tensor != kNetworkInput) last_reader[tensor] = reader;
    return tensor == kNetworkInput ? &activations.input : &activations.maps[tensor];
  };
  for (int i = 0; i < static_cast<int>(plan.nodes.size()); ++i) {
    const PlannedNode& node = plan.nodes[i];
    FeatureMap* map = read(i, node.input);
    if (node.kind == NodeKind::kConv && !node.of_sums) {
      const Border border = BorderFor(node);
      map->before = std::max(map->before, border.before);
      map->after = std::max(map->after, border.after);
    }
    if (node.kind == NodeKind::kMaxPool) {
      // Border zeros never win: no code is below them.
      const auto beyond = [&](int64_t in, int64_t out) {
        return (out - 1) * node.stride + node.pool - node.padding - in;
      };
      map->before = std::max<int64_t>(map->before, node.padding);
      map->after =
          std::max({map->after, beyond(node.in.height, node.out.height), beyond(node.in.width, node.out.width)});
    }
    if (node.input == kNetworkInput && (node.kind != NodeKind::kConv || node.depthwise)) {
      map->stored_channels = PaddedChannels(map->channels);
    }
    // The node after a global pool reads the pool's input: the pool itself stores nothing.
    if (const PlannedNode* pool = plan.PoolReadBy(node)) read(i, pool->input);
    if (node.has_residual && node.residual == kNetworkInput) {
      activations.input.stored_channels = PaddedChannels(activations.input.channels);
    }
    if (node.has_residual) read(i, node.residual);
  }
  return last_reader;
}

// Gives each node that stores values a buffer of its map's layout that no later reader needs.
void AssignBuffers(const NetworkPlan& plan, const std::vector<int>& last_reader, ActivationPlan& activations) {
  std::vector<FeatureMap> layout;  // by buffer
  std::vector<int> owner;          // by buffer, the node whose values it holds
  std::vector<bool> has_zero;      // by buffer, whether its nodes write borders
  for (int i = 0; i < static_cast<int>(plan.nodes.size()); ++i) {
    if (plan.nodes[i].kind == NodeKind::kGlobalPool || plan.nodes[i].kind == NodeKind::kLinear) continue;
    size_t buffer = 0;
    const auto taken = [&](size_t b) {
      return layout[b] != activations.maps[i] || has_zero[b] != plan.nodes[i].has_zero ||
             (owner[b] >= 0 && last_reader[owner[b]] >= i);
    };
    while (buffer < layout.size() && taken(buffer)) ++buffer;
    if (buffer == layout.size()) {
      layout.push_back(activations.maps[i]);
      owner.push_back(-1);
      has_zero.push_back(plan.nodes[i].has_zero);
      activations.elements.push_back(activations.maps[i].image_stride());
    }
    owner[buffer] = i;
    activations.buffers[i] = static_cast<int>(buffer);
  }
}

}  // namespace

ConvMaps ActivationPlan::MapsOf(const NetworkPlan& plan, const PlannedNode& node) const {
  ConvMaps conv_maps{.in = map(node.input), .residual = {}, .out = maps[plan.layers[node.layer]]};
  if (node.has_residual) conv_maps.residual = map(node.residual);
  return conv_maps;
}

ActivationPlan PlanActivations(const NetworkPlan& plan) {
  ActivationPlan activations;
  activations.input = {.height = plan.input.height,
                       .width = plan.input.width,
                       .channels = plan.input.channels,
                       .stored_channels = plan.input.channels};
  activations.buffers.assign(plan.nodes.size(), -1);
  for (const PlannedNode& node : plan.nodes) {
    activations.maps.push_back({.height = node.out.height,
                                .width = node.out.width,
                                .channels = node.out.channels,
                                .stored_channels = PaddedChannels(node.out.channels)});
  }

  AssignBuffers(plan, FitMapsToReaders(plan, activations), activations);
  return activations;
}

}  // namespace anybit::model
