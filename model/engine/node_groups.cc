#include "model/engine/node_groups.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

namespace anybit::model {
namespace {

// A map of so many times the near bytes, half of the second-level cache, does not stay near. With 1, 2 and 4 a row of
// MobileNetV2 at full precision took 6.0, 5.4 and 5.8 ms (least times), and 7.3 without bands (Ice Lake).
constexpr int64_t kLargeMaps = 2;

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

NodeGroups GroupNodes(const NetworkPlan& plan, const ActivationPlan& activations, int value_bytes, int64_t near_bytes) {
  NodeGroups all;
  std::vector<NodeGroup>& groups = all.groups;
  const int64_t large_bytes = std::min(near_bytes, std::numeric_limits<int64_t>::max() / kLargeMaps) * kLargeMaps;
  for (int i = 0; i < static_cast<int>(plan.nodes.size());) {
    std::optional<RowBands> bands = BandsFrom(plan, activations, i, value_bytes, large_bytes, large_bytes);
    if (bands.has_value()) {
      i = bands->end;
      groups.push_back({.end = i, .rows = 1, .bands = static_cast<int>(all.bands.size())});
      all.bands.push_back(*std::move(bands));
      continue;
    }
    const int64_t rows = RowsOf(plan, activations, i, value_bytes, near_bytes);
    if (groups.empty() || groups.back().bands >= 0 || !RunTogether(groups.back().rows, rows)) {
      groups.push_back({.end = i, .rows = rows});
    }
    groups.back().end = ++i;
    groups.back().rows = std::min(groups.back().rows, rows);
  }
  return all;
}

}  // namespace anybit::model
