#include "model/engine/panel_packer.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "model/format/bfloat16.h"
#include "model/format/code_range.h"
#include "model/format/zero_points.h"
#include "model/kernels/cpu/pack_conv.h"

namespace anybit::model {
namespace {

int64_t LinearBytes(const LayerPanels& panels) {
  return static_cast<int64_t>(panels.codes.size() + panels.floats.size() * sizeof(float));
}

// Of these layers the weights alone are kept: no kernel is chosen.
bool KeepsWeights(const PlannedNode& node) { return node.kind == NodeKind::kLinear || node.of_sums; }

// Sizes that share a panel count it once.
int64_t ConvBytes(const LayerPanels& panels) {
  int64_t bytes = 0;
  std::set<const ConvLayer*> counted;
  for (const std::shared_ptr<const ConvLayer>& conv : panels.conv) {
    if (counted.insert(conv.get()).second) bytes += conv->panel_bytes();
  }
  return bytes;
}

}  // namespace

PointPanels PanelPacker::Pack(PointId point, std::span<AlgorithmNames> choices) const {
  PointPanels panels = EmptyPanels(point);
  for (int layer = 0; layer < static_cast<int>(plan_.layers.size()); ++layer) {
    if (KeepsWeights(plan_.layer(layer))) {
      panels.layers.push_back(PackLinear(point, layer));
      panels.bytes += LinearBytes(panels.layers.back());
    } else {
      panels.layers.push_back(PackConvLayer(point, layer, choices[layer]));
      panels.bytes += ConvBytes(panels.layers.back());
    }
  }
  return panels;
}

PointPanels PanelPacker::EmptyPanels(PointId point) const {
  const ArtifactPoint& of = artifact_.points[ToIndex(point)];
  PointPanels panels;
  panels.full_precision = of.full_precision;
  panels.bfloat16 = of.is_bfloat16();
  panels.point = &of;
  panels.borders.resize(plan_.nodes.size());
  for (size_t i = 0; i < plan_.nodes.size() && !of.full_precision; ++i) {
    if (!plan_.nodes[i].has_zero) continue;
    const auto zero = static_cast<uint8_t>(ZeroCodeOf(plan_, of, static_cast<int>(i)));
    panels.borders[i].assign(static_cast<size_t>(plan_.nodes[i].out.channels), zero);
  }
  for (size_t c = 0; c < plan_.padding_code.size(); ++c) {
    const float code = plan_.padding_code[c];
    panels.input_border.push_back(static_cast<uint8_t>(InputPadding(plan_, static_cast<int64_t>(c))));
    panels.float_input_border.push_back(panels.bfloat16 ? RoundToBfloat16(code) : code);
  }
  return panels;
}

PointCandidates PanelPacker::PackCandidates(PointId point) const {
  PointCandidates candidates{.panels = EmptyPanels(point), .layers = {}};
  for (int layer = 0; layer < static_cast<int>(plan_.layers.size()); ++layer) {
    std::vector<KernelCandidate>& of_layer = candidates.layers.emplace_back();
    if (KeepsWeights(plan_.layer(layer))) {
      candidates.panels.layers.push_back(PackLinear(point, layer));
      continue;
    }
    candidates.panels.layers.push_back({.epilogue = &artifact_.points[ToIndex(point)].layers[layer]});
    const LayerWeights weights = WeightsOf(point, layer);
    for (const ConvAlgorithm& algorithm : AllConvAlgorithms()) {
      auto conv = PackWith(algorithm, layer, weights);
      if (conv != nullptr) of_layer.push_back({.algorithm = algorithm, .conv = std::move(conv)});
    }
  }
  return candidates;
}

// The highest code that the output of `node`, or the network's input, can hold.
int PanelPacker::HighestInput(PointId point, int node) const {
  if (node == kNetworkInput) return 255;
  const PlannedNode& planned = plan_.nodes[node];
  if (planned.kind == NodeKind::kGate) return artifact_.points[ToIndex(point)].gates[planned.gate].highest_code;
  if (planned.kind == NodeKind::kMaxPool) return HighestInput(point, planned.input);
  return artifact_.points[ToIndex(point)].layers[planned.layer].highest_code;
}

PanelPacker::LayerWeights PanelPacker::WeightsOf(PointId point, int layer) const {
  const PlannedNode& node = plan_.layer(layer);
  const LayerStore& store = artifact_.store[layer];
  const ArtifactPoint& artifact_point = artifact_.points[ToIndex(point)];
  const LayerEpilogue& epilogue = artifact_point.layers[layer];
  LayerWeights weights;
  weights.conv = {.scale = epilogue.scale,
                  .bias = epilogue.bias,
                  .residual_scale = epilogue.residual_scale,
                  .highest_output = epilogue.highest_of_sums()};
  if (artifact_point.full_precision) {
    weights.conv.floats = store.full;
    weights.conv.bfloat16 = artifact_point.is_bfloat16();
    if (weights.conv.bfloat16) {
      for (float full : store.full) weights.floats.push_back(RoundToBfloat16(full));
      weights.conv.floats = weights.floats;
    }
    return weights;
  }
  for (int8_t q8 : store.q8) weights.codes.push_back(static_cast<int16_t>(ChildCode(q8, epilogue.weights)));
  weights.conv.codes = weights.codes;
  weights.conv.signs = epilogue.weights.sign;
  weights.conv.highest_input = !KeepsWeights(node) ? HighestInput(point, node.input) : 255;
  return weights;
}

LayerPanels PanelPacker::PackLinear(PointId point, int layer) const {
  LayerWeights weights = WeightsOf(point, layer);
  LayerPanels panels;
  panels.floats.assign(weights.conv.floats.begin(), weights.conv.floats.end());
  panels.codes.assign(weights.codes.begin(), weights.codes.end());
  panels.epilogue = &artifact_.points[ToIndex(point)].layers[layer];
  return panels;
}

LayerPanels PanelPacker::PackConvLayer(PointId point, int layer, AlgorithmNames& choices) const {
  const LayerWeights weights = WeightsOf(point, layer);
  std::vector<KernelCandidate> packed;  // so far; null where the algorithm is not exact
  const auto pack = [&](const ConvAlgorithm& algorithm) {
    for (const KernelCandidate& candidate : packed) {
      if (candidate.algorithm == algorithm) return candidate.conv;
    }
    packed.push_back({.algorithm = algorithm, .conv = PackWith(algorithm, layer, weights)});
    return packed.back().conv;
  };
  LayerPanels panels{.epilogue = &artifact_.points[ToIndex(point)].layers[layer]};
  for (size_t size = 0; size < kChoiceRows.size(); ++size) {
    const std::optional<ConvAlgorithm> chosen = ConvAlgorithmByName(choices[size]);
    if (chosen.has_value()) panels.conv[size] = pack(*chosen);
    if (panels.conv[size] != nullptr) continue;
    for (const ConvAlgorithm& algorithm : ByGuessedCost(layer, kChoiceRows[size])) {
      panels.conv[size] = pack(algorithm);
      if (panels.conv[size] == nullptr) continue;
      choices[size] = NameOf(algorithm);
      break;
    }
  }
  return panels;
}

std::shared_ptr<const ConvLayer> PanelPacker::PackWith(const ConvAlgorithm& algorithm, int layer,
                                                       const LayerWeights& weights) const {
  const PlannedNode& node = plan_.layer(layer);
  return PackConv(algorithm, kernels_, node, activations_.MapsOf(plan_, node), weights.conv);
}

std::vector<ConvAlgorithm> PanelPacker::ByGuessedCost(int layer, int rows) const {
  const std::span<const ConvAlgorithm> all = AllConvAlgorithms();
  std::vector<ConvAlgorithm> algorithms(all.begin(), all.end());
  const auto cost = [&](const ConvAlgorithm& algorithm) {
    return GuessedCost(algorithm, kernels_, plan_.layer(layer), rows * plan_.frames);
  };
  std::stable_sort(algorithms.begin(), algorithms.end(),
                   [&](const ConvAlgorithm& a, const ConvAlgorithm& b) { return cost(a) < cost(b); });
  return algorithms;
}

}  // namespace anybit::model
