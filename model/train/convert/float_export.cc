#include "model/train/convert/float_export.h"

#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/format/full_precision_point.h"
#include "model/format/network_spec.h"
#include "model/format/safetensors.h"
#include "model/train/convert/resnet_names.h"
#include "model/train/convert/weight_order.h"

namespace anybit::model::train {
namespace {

constexpr double kHighestCode = 255;

// The layer's scales for inputs code / 255 and mean pools; the artifact's are for codes and sums.
std::vector<float> FileScale(const NetworkPlan& plan, const PlannedNode& node, const LayerEpilogue& layer) {
  std::vector<float> scale = layer.scale;
  if (node.input == kNetworkInput) {
    for (float& s : scale) s *= static_cast<float>(kHighestCode);
  }
  if (const PlannedNode* pool = plan.PoolReadBy(node)) {
    for (float& s : scale) s *= static_cast<float>(pool->pooled());
  }
  return scale;
}

void AddLinear(const PlannedNode& node, const LayerNames& names, std::vector<float> weights,
               const std::vector<float>& scale, const std::vector<float>& bias, SafetensorsWriter& writer) {
  const size_t depth = static_cast<size_t>(node.depth);
  for (size_t j = 0; j < weights.size(); ++j) weights[j] *= scale[j / depth];
  writer.AddFloat(names.weight + ".weight", FileShape(node), weights);
  writer.AddFloat(names.weight + ".bias", {node.out.channels}, bias);
}

void AddConv(const PlannedNode& node, const LayerNames& names, const std::vector<float>& weights,
             const std::vector<float>& scale, const std::vector<float>& bias, double norm_epsilon,
             SafetensorsWriter& writer) {
  writer.AddFloat(names.weight + ".weight", FileShape(node), weights);
  const std::vector<float> zeros(scale.size(), 0.0f), ones(scale.size(), static_cast<float>(1 - norm_epsilon));
  writer.AddFloat(names.norm + ".weight", {node.out.channels}, scale);
  writer.AddFloat(names.norm + ".bias", {node.out.channels}, bias);
  writer.AddFloat(names.norm + ".running_mean", {node.out.channels}, zeros);
  writer.AddFloat(names.norm + ".running_var", {node.out.channels}, ones);
}

}  // namespace

absl::StatusOr<std::string> ExportFloatNetwork(const Artifact& artifact, double norm_epsilon) {
  const absl::StatusOr<NetworkPlan> plan = PlanNetwork(artifact.spec);
  if (!plan.ok()) return plan.status();
  const ArtifactPoint* point = FullPrecisionPoint(artifact);
  if (point == nullptr) return absl::InvalidArgumentError("the artifact has no full-precision point");
  SafetensorsWriter writer;
  writer.AddMetadata("format", "pt");
  for (size_t i = 0; i < plan->layers.size(); ++i) {
    const PlannedNode& node = plan->layer(static_cast<int>(i));
    const std::optional<LayerNames> names = NamesOf(node.name, NameFamily{});
    if (!names.has_value()) return NamelessNode(node);
    if (IsShortcut(node) && node.relu) writer.AddMetadata(kShortcutRelu, "1");
    const LayerEpilogue& layer = point->layers[i];
    if (node.has_residual && layer.residual_scale != 1) {
      return absl::InvalidArgumentError(
          absl::StrCat("node '", node.name, "' scales what it adds by ", layer.residual_scale, "; a ResNet does not"));
    }
    const WeightOrder order = OrderOf(node);
    std::vector<float> weights = Transposed(artifact.store[i].full, order.area, order.channels);
    const std::vector<float> scale = FileScale(*plan, node, layer);
    if (node.kind == NodeKind::kLinear) {
      AddLinear(node, *names, std::move(weights), scale, layer.bias, writer);
    } else {
      AddConv(node, *names, weights, scale, layer.bias, norm_epsilon, writer);
    }
  }
  return writer.Finish();
}

}  // namespace anybit::model::train
