#include "model/testing/random_artifact.h"

#include <algorithm>
#include <cmath>
#include <random>

#include "base/random.h"
#include "model/format/bfloat16.h"
#include "model/format/full_precision_point.h"
#include "model/format/requantize.h"

namespace anybit::model {
namespace {

struct TestPoint {
  const char* name;
  bool full_precision;
  CodeRange weights;
  int highest_code;
  int weight_bits;
  int activation_bits;
};

constexpr CodeRange kSign = {.step = 1, .lo = -1, .hi = 1, .sign = true};
constexpr TestPoint kPoints[] = {
    {"fp32", true, {}, 0, 32, 32},
    {"w8a8", false, {}, 255, 8, 8},
    {"w4a4f", false, {.step = 21, .lo = -6, .hi = 6}, 12, 4, 4},
    {"w3a2f", false, {.step = 51, .lo = -2, .hi = 2}, 2, 3, 2},
    {"w1a1", false, kSign, 1, 1, 1},
    {"w1a2", false, kSign, 3, 1, 2},
};

// A table without order, and any zero code.
void RandomTable(std::mt19937_64& random, LayerEpilogue& layer) {
  const auto codes = static_cast<uint64_t>(layer.highest_code + 1);
  for (int i = 0; i < kTableCodes; ++i) layer.table.push_back(static_cast<uint8_t>(random() % codes));
  layer.zero_code = static_cast<int>(random() % codes);
}

}  // namespace

Artifact RandomArtifact(const NetworkSpec& spec, uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto uniform = [&](double lo, double hi) { return UniformIn(random, lo, hi); };
  const NetworkPlan plan = *PlanNetwork(spec);
  Artifact artifact{.spec = spec, .version = 3, .trained_with = "nobody: random numbers"};
  for (int index : plan.layers) {
    const PlannedNode& node = plan.nodes[index];
    LayerStore& store = artifact.store.emplace_back();
    for (int64_t i = 0; i < node.weights(); ++i) {
      // All codes, mostly small ones, like trained weights: their sum determines which kernels are exact.
      const int sum = static_cast<int>(random() % 255) + static_cast<int>(random() % 255);
      store.q8.push_back(static_cast<int8_t>(sum / 2 - 127));
      store.full.push_back(static_cast<float>(uniform(-1, 1) / std::sqrt(static_cast<double>(node.depth))));
    }
    for (int64_t o = 0; o < node.out.channels; ++o) store.scale.push_back(static_cast<float>(uniform(0.001, 0.01)));
  }
  double accuracy = 0.95;
  for (const TestPoint& p : kPoints) {
    ArtifactPoint& point = artifact.points.emplace_back();
    point.info = {
        .name = p.name, .weight_bits = p.weight_bits, .activation_bits = p.activation_bits, .accuracy = accuracy};
    accuracy -= 0.01;
    point.full_precision = p.full_precision;
    point.accuracy_images = 100;
    for (int index : plan.layers) {
      const PlannedNode& node = plan.nodes[index];
      const bool wide = index == plan.layers.front() || index == plan.layers.back();
      LayerEpilogue& layer = point.layers.emplace_back();
      if (!p.full_precision) {
        layer.weights = wide ? CodeRange{} : p.weights;
        layer.highest_code = node.kind == NodeKind::kConv ? p.highest_code : 0;
        if (node.activation.is_tabled()) RandomTable(random, layer);
      }
      const int highest = layer.table.empty() ? p.highest_code : kTableCodes - 1;
      // Sums of `depth` random products have a deviation near sqrt(depth) * rms(weight) * rms(code): spread it over the
      // codes.
      const double weight = wide ? 52.0 : p.weights.sign ? 1.0 : 0.41 * p.weights.hi;
      const double code = index == plan.layers.front() ? 147.0 : 0.6 * std::max(1, p.highest_code);
      const double pooled = node.of_sums ? static_cast<double>(plan.PoolReadBy(node)->pooled()) : 1;
      const double spread = std::sqrt(static_cast<double>(node.depth)) * weight * code * pooled;
      for (int64_t o = 0; o < node.out.channels; ++o) {
        const double scale = p.full_precision ? uniform(0.5, 1.0) : uniform(-1, 1) * std::max(1, highest) / spread;
        layer.scale.push_back(p.full_precision ? static_cast<float>(scale) : ExactScale(scale));
        layer.bias.push_back(static_cast<float>(uniform(-0.2, 0.8) * std::max(1, highest)));
      }
      if (node.has_residual) layer.residual_scale = static_cast<float>(uniform(0.3, 1.2));
    }
    for (size_t i = 0; i < plan.gates.size() && !p.full_precision; ++i) {
      point.gates.push_back({.scale = static_cast<float>(uniform(0.2, 2) / std::max(1, p.highest_code)),
                             .highest_code = p.highest_code,
                             .zero_code = static_cast<int>(random() % static_cast<uint64_t>(p.highest_code + 1))});
    }
  }
  return artifact;
}

void AddBfloat16Point(Artifact& artifact) {
  const auto is_quantized = [](const ArtifactPoint& point) { return !point.full_precision; };
  ArtifactPoint point = *FullPrecisionPoint(artifact);
  point.info.name = "bf16";
  point.info.weight_bits = point.info.activation_bits = kBfloat16Bits;
  artifact.points.insert(std::find_if(artifact.points.begin(), artifact.points.end(), is_quantized), point);
}

std::vector<uint8_t> RandomImages(const Artifact& artifact, int rows, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<uint8_t> images(rows * Describe(artifact).input.elements);
  for (uint8_t& code : images) code = static_cast<uint8_t>(random());
  return images;
}

}  // namespace anybit::model
