#include "model/engine/cuda/map_layout.h"

#include <algorithm>

#include "model/format/zero_points.h"

namespace anybit::model::cuda {
namespace {

constexpr int64_t kChunkCodes = 16;
constexpr int kWordCodes = 4;

int Padded(int64_t channels) { return static_cast<int>((channels + kChunkCodes - 1) / kChunkCodes * kChunkCodes); }

bool Stores(const PlannedNode& node) {
  return node.kind == NodeKind::kConv || node.kind == NodeKind::kMaxPool || node.kind == NodeKind::kGate;
}

// The last reader of each node's map, -1 where it has none.
std::vector<int> LastReaders(const NetworkPlan& plan) {
  std::vector<int> last(plan.nodes.size(), -1);
  const auto read = [&](int reader, int tensor) {
    if (tensor != kNetworkInput) last[tensor] = reader;
  };
  for (int i = 0; i < static_cast<int>(plan.nodes.size()); ++i) {
    const PlannedNode& node = plan.nodes[i];
    read(i, node.input);
    if (node.has_residual) read(i, node.residual);
    // What reads a global pool reads the pool's input.
    if (const PlannedNode* pool = plan.PoolReadBy(node)) read(i, pool->input);
  }
  return last;
}

// Whether a depthwise or pooling node, which copies stored channels one to one, reads the image.
bool ImageNeedsChunks(const NetworkPlan& plan) {
  return std::any_of(plan.nodes.begin(), plan.nodes.end(), [](const PlannedNode& node) {
    return node.input == kNetworkInput && (node.depthwise || node.kind == NodeKind::kMaxPool);
  });
}

bool MayPadWithValues(const NetworkPlan& plan, const PlannedNode& node) {
  if (node.kind != NodeKind::kConv || node.padding == 0) return false;
  return node.input == kNetworkInput ? !plan.padding_code.empty() : plan.nodes[node.input].has_zero;
}

int64_t PaddedElements(const NetworkPlan& plan, const MapLayout& layout) {
  int64_t most = 0;
  for (const PlannedNode& node : plan.nodes) {
    if (!MayPadWithValues(plan, node)) continue;
    const int64_t height = node.in.height + 2 * node.padding, width = node.in.width + 2 * node.padding;
    most = std::max(most, height * width * layout.StoredOf(node.input));
  }
  return most;
}

}  // namespace

bool PadsWithValues(const NetworkPlan& plan, const ArtifactPoint& point, const PlannedNode& node) {
  if (!MayPadWithValues(plan, node)) return false;
  return node.input == kNetworkInput || (!point.full_precision && ZeroCodeOf(plan, point, node.input) != 0);
}

MapLayout LayOutMaps(const NetworkPlan& plan) {
  const int nodes = static_cast<int>(plan.nodes.size());
  MapLayout layout{.stored = std::vector<int>(nodes, 0), .buffers = std::vector<int>(nodes, -1)};
  layout.input_stored =
      plan.input.channels <= kWordCodes && !ImageNeedsChunks(plan) ? kWordCodes : Padded(plan.input.channels);
  const std::vector<int> last_reader = LastReaders(plan);
  std::vector<int> owner;  // by buffer
  for (int i = 0; i < nodes; ++i) {
    const PlannedNode& node = plan.nodes[i];
    if (!Stores(node)) continue;
    layout.stored[i] = Padded(node.out.channels);
    const int64_t elements = node.out.height * node.out.width * layout.stored[i];
    // The smallest free buffer that is large enough, else the largest free one, which grows.
    int best = -1;
    for (int b = 0; b < static_cast<int>(owner.size()); ++b) {
      if (last_reader[owner[b]] >= i) continue;
      const auto fits = [&](int buffer) { return layout.elements[buffer] >= elements; };
      const bool better = best < 0 || (fits(b) ? !fits(best) || layout.elements[b] < layout.elements[best]
                                               : !fits(best) && layout.elements[b] > layout.elements[best]);
      if (better) best = b;
    }
    if (best < 0) {
      best = static_cast<int>(owner.size());
      owner.push_back(i);
      layout.elements.push_back(0);
    }
    owner[best] = i;
    layout.elements[best] = std::max(layout.elements[best], elements);
    layout.buffers[i] = best;
  }
  layout.padded_elements = PaddedElements(plan, layout);
  return layout;
}

}  // namespace anybit::model::cuda
