#include "model/train/convert/float_import.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/train/convert/joint_rounding.h"
#include "model/train/convert/resnet_names.h"
#include "model/train/convert/tensor_reader.h"
#include "model/train/convert/weight_order.h"

namespace anybit::model::train {
namespace {

constexpr double kHighestCode = 255;

NameFamily FamilyOf(const TensorReader& reader) {
  NameFamily family;
  for (const char* name : {"fc", "linear"}) {
    if (reader.HasPart(name)) family.head = name;
  }
  for (const char* name : {"downsample", "shortcut"}) {
    if (reader.HasPart(name)) family.shortcut = name;
  }
  return family;
}

struct FoldedNorm {
  std::vector<double> scale, bias;
};

FoldedNorm TakeNorm(TensorReader& reader, const std::string& name, int64_t channels, double epsilon) {
  const std::vector<float> gamma = reader.Take(name + ".weight", {channels});
  const std::vector<float> beta = reader.Take(name + ".bias", {channels});
  const std::vector<float> mean = reader.Take(name + ".running_mean", {channels});
  const std::vector<float> variance = reader.Take(name + ".running_var", {channels});
  FoldedNorm folded;
  for (size_t o = 0; o < gamma.size(); ++o) {
    const double scale = gamma[o] / std::sqrt(std::max(0.0, static_cast<double>(variance[o])) + epsilon);
    folded.scale.push_back(scale);
    folded.bias.push_back(beta[o] - mean[o] * scale);
  }
  return folded;
}

// Folds the normalisation (code / 255 - mean) / deviation of the input into weights and batch norm.
void FoldInput(const InputNormalisation& normalisation, const WeightOrder& order, std::vector<float>& weights,
               FoldedNorm& norm) {
  const size_t depth = order.channels * order.area;
  for (size_t o = 0; o < norm.scale.size(); ++o) {
    double shift = 0;
    for (size_t d = 0; d < depth; ++d) {
      const size_t channel = d % order.channels;
      float& w = weights[o * depth + d];
      w /= normalisation.DeviationOf(channel);
      shift += static_cast<double>(w) * normalisation.MeanOf(channel);
    }
    norm.bias[o] -= shift * norm.scale[o];
    norm.scale[o] /= kHighestCode;
  }
}

absl::Status CheckNormalisation(const InputNormalisation& normalisation, int64_t channels) {
  for (const auto* values : {&normalisation.mean, &normalisation.deviation}) {
    if (values->size() > 1 && static_cast<int64_t>(values->size()) != channels) {
      return absl::InvalidArgumentError(
          absl::StrCat("normalisation of ", values->size(), " channels for an input of ", channels));
    }
    for (const float value : *values) {
      if (!std::isfinite(value) || (values == &normalisation.deviation && value <= 0)) {
        return absl::InvalidArgumentError(absl::StrCat("normalisation by ", value, " is impossible"));
      }
    }
  }
  return absl::OkStatus();
}

// The linear layer's scale and bias. The engine's global pool gives sums, so its division is part of the scale.
FoldedNorm TakeHead(TensorReader& reader, const std::string& name, const NetworkPlan& plan, const PlannedNode& node) {
  const PlannedNode* pool = plan.PoolReadBy(node);
  const double area = pool == nullptr ? 1 : static_cast<double>(pool->pooled());
  const std::vector<float> bias = reader.Take(name + ".bias", {node.out.channels});
  return {.scale = std::vector<double>(static_cast<size_t>(node.out.channels), 1 / area),
          .bias = {bias.begin(), bias.end()}};
}

void TakeLayer(TensorReader& reader, const LayerNames& names, const NetworkPlan& plan, const PlannedNode& node,
               const InputNormalisation& normalisation, double norm_epsilon, Artifact& artifact) {
  const WeightOrder order = OrderOf(node);
  LayerStore& store = artifact.store.emplace_back();
  store.full = Transposed(reader.Take(names.weight + ".weight", FileShape(node)), order.channels, order.area);
  FoldedNorm norm = node.kind == NodeKind::kConv ? TakeNorm(reader, names.norm, node.out.channels, norm_epsilon)
                                                 : TakeHead(reader, names.weight, plan, node);
  if (node.input == kNetworkInput) FoldInput(normalisation, order, store.full, norm);
  LayerEpilogue& layer = artifact.points[0].layers.emplace_back();
  layer.scale.assign(norm.scale.begin(), norm.scale.end());
  layer.bias.assign(norm.bias.begin(), norm.bias.end());
  if (node.has_residual) layer.residual_scale = 1;
}

// Where the network has shortcuts with convolutions and the file none, says what the file has instead.
absl::Status WithShortcutHint(const NetworkPlan& plan, const TensorReader& reader, const absl::Status& status) {
  const bool wanted = std::any_of(plan.nodes.begin(), plan.nodes.end(), IsShortcut);
  if (!wanted || reader.HasPart("downsample") || reader.HasPart("shortcut")) return status;
  return absl::InvalidArgumentError(
      absl::StrCat(status.message(),
                   "; the file's shortcuts have no convolutions: strided copies with zeros (option A "
                   "of He et al.) are not supported, accepted: 1x1 convolutions (option B)"));
}

void RoundStore(const NetworkPlan& plan, Artifact& artifact) {
  for (size_t i = 0; i < artifact.store.size(); ++i) {
    LayerStore& store = artifact.store[i];
    const CodeRange whole;
    RoundedWeights rounded = RoundToNearest(store.full, plan.layer(static_cast<int>(i)).out.channels, {&whole, 1});
    store.q8 = std::move(rounded.q8);
    store.scale = std::move(rounded.scale);
  }
}

}  // namespace

absl::StatusOr<FloatNetwork> ImportFloatNetwork(const TensorFile& file, const NetworkSpec& spec,
                                                const InputNormalisation& normalisation, double norm_epsilon) {
  const absl::StatusOr<NetworkPlan> plan = PlanNetwork(spec);
  if (!plan.ok()) return plan.status();
  if (absl::Status status = CheckNormalisation(normalisation, plan->input.channels); !status.ok()) return status;
  if (absl::Status status = CheckShortcuts(*plan, file.metadata.contains(kShortcutRelu)); !status.ok()) return status;
  absl::StatusOr<TensorReader> reader = TensorReader::Create(file);
  if (!reader.ok()) return reader.status();
  const NameFamily family = FamilyOf(*reader);
  Artifact artifact{.spec = spec};
  ArtifactPoint& point = artifact.points.emplace_back();
  point.info = {.name = "fp32", .weight_bits = 32, .activation_bits = 32};
  point.full_precision = true;
  for (const int index : plan->layers) {
    const PlannedNode& node = plan->nodes[index];
    const std::optional<LayerNames> names = NamesOf(node.name, family);
    if (!names.has_value()) return NamelessNode(node);
    TakeLayer(*reader, *names, *plan, node, normalisation, norm_epsilon, artifact);
  }
  if (absl::Status status = reader->status(); !status.ok()) return WithShortcutHint(*plan, *reader, status);
  RoundStore(*plan, artifact);
  return FloatNetwork{std::move(artifact), reader->Unneeded()};
}

}  // namespace anybit::model::train
