#include "model/import/testing/float_run.h"

#include <algorithm>
#include <limits>

namespace anybit::model {
namespace {

// Calls `work(place, index)` for each place of the window that gives output (y, x): its index in the window and in the
// input's map; outside -1.
template <typename Work>
void EachPlace(const PlannedNode& node, int size, int64_t y, int64_t x, const Work& work) {
  for (int64_t dy = 0; dy < size; ++dy) {
    for (int64_t dx = 0; dx < size; ++dx) {
      const int64_t iy = y * node.stride + dy - node.padding, ix = x * node.stride + dx - node.padding;
      const bool inside = iy >= 0 && ix >= 0 && iy < node.in.height && ix < node.in.width;
      work(dy * size + dx, inside ? iy * node.in.width + ix : -1);
    }
  }
}

double WindowSum(const NetworkPlan& plan, const PlannedNode& node, const std::vector<float>& weights,
                 const std::vector<double>& in, int64_t y, int64_t x, int64_t o) {
  double sum = 0;
  const auto value = [&](int64_t index, int64_t c) -> double {
    if (index >= 0) return in[index * node.in.channels + c];
    return node.input == kNetworkInput && !plan.padding_code.empty() ? plan.padding_code[c] : 0;
  };
  EachPlace(node, node.kernel, y, x, [&](int64_t place, int64_t index) {
    if (node.depthwise) {
      sum += weights[o * node.depth + place] * value(index, o);
      return;
    }
    for (int64_t c = 0; c < node.in.channels; ++c) {
      sum += weights[o * node.depth + place * node.in.channels + c] * value(index, c);
    }
  });
  return sum;
}

double WindowMax(const PlannedNode& node, const std::vector<double>& in, int64_t y, int64_t x, int64_t c) {
  double largest = -std::numeric_limits<double>::infinity();
  EachPlace(node, node.pool, y, x, [&](int64_t, int64_t index) {
    if (index >= 0) largest = std::max(largest, in[index * node.in.channels + c]);
  });
  return largest;
}

double Output(const NetworkPlan& plan, const PlannedNode& node, const Artifact& artifact, const std::vector<double>& in,
              const std::vector<double>* residual, int64_t index) {
  const int64_t o = index % node.out.channels, x = index / node.out.channels % node.out.width;
  const int64_t y = index / node.out.channels / node.out.width;
  if (node.kind == NodeKind::kGate) return in[index] * (*residual)[o];
  if (node.kind == NodeKind::kMaxPool) return WindowMax(node, in, y, x, o);
  if (node.kind == NodeKind::kGlobalPool) {
    double sum = 0;
    for (size_t i = static_cast<size_t>(o); i < in.size(); i += static_cast<size_t>(node.out.channels)) sum += in[i];
    return sum;
  }
  const LayerEpilogue& layer = artifact.points[0].layers[node.layer];
  const std::vector<float>& weights = artifact.store[node.layer].full;
  double sum = 0;
  if (node.kind == NodeKind::kConv) sum = WindowSum(plan, node, weights, in, y, x, o);
  for (int64_t d = 0; node.kind == NodeKind::kLinear && d < node.depth; ++d) sum += weights[o * node.depth + d] * in[d];
  const double value = sum * layer.scale[o] + layer.bias[o] +
                       (residual == nullptr ? 0 : (*residual)[index] * double{layer.residual_scale});
  if (!node.activation.is_none()) return Activate(node.activation, static_cast<float>(value));
  return node.kind == NodeKind::kConv && node.relu ? std::max(0.0, value) : value;
}

}  // namespace

std::vector<double> FloatRun(const Artifact& artifact, std::span<const double> input) {
  const NetworkPlan plan = *PlanNetwork(artifact.spec);
  const std::vector<double> image(input.begin(), input.end());
  std::vector<std::vector<double>> values(plan.nodes.size());
  const auto value = [&](int index) -> const std::vector<double>& {
    return index == kNetworkInput ? image : values[index];
  };
  for (size_t i = 0; i < plan.nodes.size(); ++i) {
    const PlannedNode& node = plan.nodes[i];
    for (int64_t j = 0; j < node.out.elements(); ++j) {
      values[i].push_back(
          Output(plan, node, artifact, value(node.input), node.has_residual ? &value(node.residual) : nullptr, j));
    }
  }
  return values.back();
}

}  // namespace anybit::model
