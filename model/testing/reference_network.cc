#include "model/testing/reference_network.h"

#include <algorithm>

#include "model/format/code_range.h"
#include "model/format/requantize.h"
#include "model/format/zero_points.h"
#include "model/kernels/reference.h"

namespace anybit::model {
namespace {

std::vector<int32_t> Children(const Artifact& artifact, PointId point, int layer) {
  std::vector<int32_t> weights;
  for (int8_t q8 : artifact.store[layer].q8) {
    weights.push_back(ChildCode(q8, artifact.points[ToIndex(point)].layers[layer].weights));
  }
  return weights;
}

// `codes` with `padding` rows and columns of `pixel` around them, and the node for them.
std::vector<int32_t> Padded(PlannedNode& node, std::span<const int32_t> codes, const std::vector<int32_t>& pixel) {
  const FeatureShape in = node.in;
  const int64_t side = node.padding;
  node.in = {in.height + 2 * side, in.width + 2 * side, in.channels};
  node.padding = 0;
  std::vector<int32_t> padded(node.in.elements());
  for (int64_t i = 0; i < node.in.elements(); ++i) {
    const int64_t c = i % in.channels, x = i / in.channels % node.in.width - side;
    const int64_t y = i / in.channels / node.in.width - side;
    const bool inside = y >= 0 && y < in.height && x >= 0 && x < in.width;
    padded[i] = inside ? codes[(y * in.width + x) * in.channels + c] : pixel[c];
  }
  return padded;
}

std::vector<int32_t> Conv(PlannedNode node, const LayerEpilogue& layer, std::span<const int32_t> codes,
                          std::span<const int32_t> weights, const std::vector<int32_t>* residual,
                          const std::vector<int32_t>& border) {
  const bool tabled = node.activation.is_tabled();
  const int highest = tabled ? kTableCodes - 1 : layer.highest_code;
  const std::vector<int32_t> padded = Padded(node, codes, border);
  std::vector<int32_t> out = ReferenceConvSums(node, padded, weights);
  for (size_t i = 0; i < out.size(); ++i) {
    const size_t o = i % node.out.channels;
    out[i] = residual == nullptr
                 ? Requantize(out[i], layer.scale[o], layer.bias[o], highest)
                 : RequantizeWithResidual(out[i], layer.scale[o], layer.bias[o], static_cast<uint8_t>((*residual)[i]),
                                          layer.residual_scale, highest);
    if (tabled) out[i] = layer.table[out[i]];
  }
  return out;
}

std::vector<int32_t> ConvOfSums(const PlannedNode& node, const LayerEpilogue& layer, const std::vector<int32_t>& sums,
                                std::span<const int32_t> weights) {
  const bool tabled = node.activation.is_tabled();
  std::vector<int32_t> out;
  for (int64_t o = 0; o < node.out.channels; ++o) {
    int64_t sum = 0;
    for (int64_t d = 0; d < node.depth; ++d) sum += int64_t{sums[d]} * weights[o * node.depth + d];
    const int code = Requantize(sum, layer.scale[o], layer.bias[o], tabled ? kTableCodes - 1 : layer.highest_code);
    out.push_back(tabled ? layer.table[code] : code);
  }
  return out;
}

std::vector<int32_t> Gate(const GateEpilogue& gate, const std::vector<int32_t>& codes, int64_t zero,
                          const std::vector<int32_t>& factors, int64_t factor_zero) {
  std::vector<int32_t> out;
  for (size_t i = 0; i < codes.size(); ++i) {
    const int64_t product = (codes[i] - zero) * (factors[i % factors.size()] - factor_zero);
    out.push_back(RequantizeProduct(static_cast<int32_t>(product), gate.scale, gate.zero_code, gate.highest_code));
  }
  return out;
}

std::vector<int32_t> MaxPool(const PlannedNode& node, const std::vector<int32_t>& codes) {
  std::vector<int32_t> out(node.out.elements(), 0);
  for (int64_t i = 0; i < node.out.elements(); ++i) {
    const int64_t c = i % node.out.channels, x = i / node.out.channels % node.out.width;
    const int64_t y = i / node.out.channels / node.out.width;
    for (int64_t dy = 0; dy < node.pool; ++dy) {
      for (int64_t dx = 0; dx < node.pool; ++dx) {
        const int64_t iy = y * node.stride + dy - node.padding, ix = x * node.stride + dx - node.padding;
        if (iy < 0 || ix < 0 || iy >= node.in.height || ix >= node.in.width) continue;
        out[i] = std::max(out[i], codes[(iy * node.in.width + ix) * node.in.channels + c]);
      }
    }
  }
  return out;
}

// Applies `work` to each frame of a row.
template <class Work>
std::vector<int32_t> EachFrame(const PlannedNode& node, const std::vector<int32_t>& codes, const Work& work) {
  std::vector<int32_t> out;
  for (int64_t frame = 0; frame < node.frames; ++frame) {
    const auto first = codes.begin() + frame * node.in.elements();
    const std::vector<int32_t> one = work(frame, std::vector<int32_t>(first, first + node.in.elements()));
    out.insert(out.end(), one.begin(), one.end());
  }
  return out;
}

std::vector<int32_t> GlobalPool(const PlannedNode& node, const std::vector<int32_t>& codes) {
  std::vector<int32_t> out(node.out.channels, 0);
  for (size_t i = 0; i < codes.size(); ++i) out[i % node.out.channels] += codes[i];
  return out;
}

std::vector<float> Linear(const PlannedNode& node, const LayerEpilogue& layer, const std::vector<int32_t>& codes,
                          std::span<const int32_t> weights) {
  std::vector<float> logits;
  for (int64_t o = 0; o < node.out.channels; ++o) {
    int64_t sum = 0;
    for (int64_t d = 0; d < node.depth; ++d) sum += int64_t{codes[d]} * weights[o * node.depth + d];
    logits.push_back(Dequantize(sum, layer.scale[o], layer.bias[o]));
  }
  return logits;
}

}  // namespace

LayerTrace ReferenceRun(const Artifact& artifact, PointId point, std::span<const uint8_t> input,
                        std::vector<float>& logits) {
  const NetworkPlan plan = *PlanNetwork(artifact.spec);
  const ArtifactPoint& at = artifact.points[ToIndex(point)];
  const std::vector<int32_t> image(input.begin(), input.end());
  LayerTrace trace(plan.nodes.size());
  const auto value = [&](int index) -> const std::vector<int32_t>& {
    return index == kNetworkInput ? image : trace[index].codes;
  };
  for (size_t i = 0; i < plan.nodes.size(); ++i) {
    const PlannedNode& node = plan.nodes[i];
    const std::vector<int32_t>& x = value(node.input);
    trace[i].node = node.name;
    switch (node.kind) {
      case NodeKind::kConv: {
        const LayerEpilogue& layer = at.layers[node.layer];
        const std::vector<int32_t> weights = Children(artifact, point, node.layer);
        if (node.of_sums) {
          trace[i].codes = ConvOfSums(node, layer, x, weights);
          break;
        }
        std::vector<int32_t> border(node.in.channels, static_cast<int32_t>(ZeroCodeOf(plan, at, node.input)));
        for (int64_t c = 0; node.input == kNetworkInput && c < node.in.channels; ++c) border[c] = InputPadding(plan, c);
        trace[i].codes = EachFrame(node, x, [&](int64_t frame, const std::vector<int32_t>& codes) {
          std::vector<int32_t> residual;
          if (node.has_residual) {
            const auto first = value(node.residual).begin() + frame * node.out.elements();
            residual.assign(first, first + node.out.elements());
          }
          return Conv(node, layer, codes, weights, node.has_residual ? &residual : nullptr, border);
        });
        break;
      }
      case NodeKind::kGate:
        trace[i].codes = Gate(at.gates[node.gate], x, ZeroCodeOf(plan, at, node.input), value(node.residual),
                              ZeroCodeOf(plan, at, node.residual));
        break;
      case NodeKind::kMaxPool:
        trace[i].codes =
            EachFrame(node, x, [&](int64_t, const std::vector<int32_t>& codes) { return MaxPool(node, codes); });
        break;
      case NodeKind::kGlobalPool: trace[i].codes = GlobalPool(node, x); break;
      case NodeKind::kLinear:
        logits = Linear(node, at.layers[node.layer], x, Children(artifact, point, node.layer));
        break;
    }
  }
  return trace;
}

}  // namespace anybit::model
