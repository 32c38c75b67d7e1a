#include "model/engine/node_groups.h"

#include <algorithm>

namespace anybit::model {
namespace {

// Rows that a node runs at a time by itself.
int64_t RowsOf(const NetworkPlan& plan, const ActivationPlan& activations, int index, int value_bytes,
               int64_t near_bytes) {
  const PlannedNode& node = plan.nodes[index];
  // The others run once for a batch: their input is small.
  if (node.kind == NodeKind::kGlobalPool || node.kind == NodeKind::kLinear) return kAllRows;
  if (node.kind == NodeKind::kConv && node.weights() * value_bytes > near_bytes) return kAllRows;
  int64_t values = activations.map(node.input).image_stride() + activations.maps[index].image_stride();
  if (node.has_residual) values += activations.map(node.residual).image_stride();
  return std::max<int64_t>(1, near_bytes / (node.frames * values * value_bytes));
}

// Whether nodes that take so many rows may take the fewer of both.
bool RunTogether(int64_t a, int64_t b) {
  if (a == kAllRows || b == kAllRows) return a == b;
  return std::max(a, b) <= 2 * std::min(a, b);
}

}  // namespace

std::vector<NodeGroup> GroupNodes(const NetworkPlan& plan, const ActivationPlan& activations, int value_bytes,
                                  int64_t near_bytes) {
  std::vector<NodeGroup> groups;
  for (int i = 0; i < static_cast<int>(plan.nodes.size()); ++i) {
    const int64_t rows = RowsOf(plan, activations, i, value_bytes, near_bytes);
    if (groups.empty() || !RunTogether(groups.back().rows, rows)) groups.push_back({.end = i, .rows = rows});
    groups.back().end = i + 1;
    groups.back().rows = std::min(groups.back().rows, rows);
  }
  return groups;
}

}  // namespace anybit::model
