#include "model/train/convert/float_import.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "model/format/full_precision_point.h"
#include "model/train/convert/joint_rounding.h"

namespace anybit {
namespace {

constexpr double kHighestCode = 255;
// What stands before the names of a network that something wraps: DataParallel, torch.compile, training frameworks.
constexpr const char* kWrappers[] = {"module.", "_orig_mod.", "model.", "net.", "network.", "backbone.", "state_dict."};

// The tensors of one layer: `weight`.weight, and `norm`.{weight,bias,running_mean,running_var} or, of the last layer,
// `weight`.bias.
struct LayerNames {
  std::string weight;
  std::string norm;
};

// How a family of checkpoints calls what not all call alike.
struct Dialect {
  std::string shortcut = "downsample";
  std::string head = "fc";
};

// Of the node `name` (model/arch); none where a ResNet has no such layer.
std::optional<LayerNames> NamesOf(const std::string& name, const Dialect& dialect) {
  if (name == "stem") return LayerNames{"conv1", "bn1"};
  if (name == "head") return LayerNames{dialect.head, ""};
  const std::vector<std::string> parts = absl::StrSplit(name, '.');
  if (parts.size() != 3) return std::nullopt;
  absl::string_view stage = parts[0], block = parts[1], layer = parts[2];
  int stage_number = 0, block_number = 0;
  if (!absl::ConsumePrefix(&stage, "stage") || !absl::SimpleAtoi(stage, &stage_number)) return std::nullopt;
  if (!absl::ConsumePrefix(&block, "block") || !absl::SimpleAtoi(block, &block_number)) return std::nullopt;
  const std::string prefix = absl::StrCat("layer", stage_number, ".", block_number - 1, ".");
  if (layer == "shortcut") {
    return LayerNames{absl::StrCat(prefix, dialect.shortcut, ".0"), absl::StrCat(prefix, dialect.shortcut, ".1")};
  }
  if (!absl::ConsumePrefix(&layer, "conv")) return std::nullopt;
  return LayerNames{absl::StrCat(prefix, "conv", layer), absl::StrCat(prefix, "bn", layer)};
}

// In the metadata of a file of ours whose shortcuts' convolutions have a ReLU behind them, as no other family's have.
constexpr char kShortcutRelu[] = "anybit.shortcut_relu";

bool IsShortcut(const PlannedNode& node) { return absl::EndsWith(node.name, ".shortcut"); }

// The same names mean another network where a shortcut has a ReLU and was trained without.
absl::Status CheckShortcuts(const NetworkPlan& plan, bool relu) {
  for (const PlannedNode& node : plan.nodes) {
    if (!IsShortcut(node) || node.relu == relu) continue;
    return absl::InvalidArgumentError(absl::StrCat("node '", node.name, "' has ", node.relu ? "a" : "no",
                                                   " ReLU, the file's shortcuts have ", relu ? "one" : "none"));
  }
  return absl::OkStatus();
}

absl::Status Nameless(const PlannedNode& node) {
  return absl::InvalidArgumentError(
      absl::StrCat("node '", node.name, "' is none of a ResNet's: no tensor is known to belong to it"));
}

float FromHalf(uint16_t bits) {
  const uint32_t sign = static_cast<uint32_t>(bits >> 15) << 31, exponent = bits >> 10 & 31, fraction = bits & 1023;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7F800000u | fraction << 13);
  const float magnitude = exponent == 0
                              ? std::ldexp(static_cast<float>(fraction), -24)
                              : std::ldexp(static_cast<float>(fraction + 1024), static_cast<int>(exponent) - 25);
  return sign != 0 ? -magnitude : magnitude;
}

template <typename T>
std::vector<T> Elements(absl::string_view bytes) {
  std::vector<T> values(bytes.size() / sizeof(T));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(T));
  return values;
}

std::vector<float> ToFloats(const TensorView& tensor) {
  if (tensor.type == ElementType::kFloat32) return Elements<float>(tensor.bytes);
  std::vector<float> values;
  if (tensor.type == ElementType::kFloat64) {
    for (const double value : Elements<double>(tensor.bytes)) values.push_back(static_cast<float>(value));
    return values;
  }
  for (const uint16_t bits : Elements<uint16_t>(tensor.bytes)) {
    values.push_back(tensor.type == ElementType::kFloat16 ? FromHalf(bits)
                                                          : std::bit_cast<float>(static_cast<uint32_t>(bits) << 16));
  }
  return values;
}

bool IsFloat(ElementType type) {
  return type == ElementType::kFloat16 || type == ElementType::kBFloat16 || type == ElementType::kFloat32 ||
         type == ElementType::kFloat64;
}

absl::string_view WithoutWrappers(absl::string_view name) {
  const auto strip = [&] {
    return std::any_of(std::begin(kWrappers), std::end(kWrappers),
                       [&](const char* wrapper) { return absl::ConsumePrefix(&name, wrapper); });
  };
  while (strip()) {
  }
  return name;
}

// Whether `name` is of a part of a ResNet: its stem, a block or its head.
bool IsOfResNet(absl::string_view name) {
  absl::string_view part = name.substr(0, name.find('.'));
  if (part == "conv1" || part == "bn1" || part == "fc" || part == "linear") return true;
  int stage = 0;
  return absl::ConsumePrefix(&part, "layer") && absl::SimpleAtoi(part, &stage);
}

std::string ShapeText(absl::string_view name, const std::vector<int64_t>& shape) {
  return absl::StrCat("'", name, "' [", absl::StrJoin(shape, ","), "]");
}

// "; 12 tensors are missing: a, b, ... "
void AppendList(std::string& text, absl::string_view what, const std::vector<std::string>& items) {
  constexpr size_t kShown = 12;
  if (items.empty()) return;
  absl::StrAppend(
      &text, text.empty() ? "" : "; ", items.size(), items.size() == 1 ? " tensor " : " tensors ", what, ": ",
      absl::StrJoin(items.begin(), items.begin() + static_cast<int64_t>(std::min(kShown, items.size())), ", "),
      items.size() > kShown ? ", ..." : "");
}

// Tensors in one line: those whose last parts are the same as one.
std::string Together(const std::vector<std::pair<std::string, const TensorView*>>& tensors) {
  std::map<std::string, std::vector<std::string>> groups;
  for (const auto& [name, tensor] : tensors) {
    groups[name.substr(name.rfind('.') + 1)].push_back(
        absl::StrCat("'", name, "' ", tensor->type_name, " [", absl::StrJoin(tensor->shape, ","), "]"));
  }
  std::vector<std::string> texts;
  for (const auto& [last, names] : groups) {
    texts.push_back(names.size() == 1 ? names[0] : absl::StrCat(names.size(), " named *.", last));
  }
  return absl::StrJoin(texts, ", ");
}

// Takes tensors by name and remembers what did not fit, so that all of it is told at once.
class Checkpoint {
 public:
  static absl::StatusOr<Checkpoint> Create(const TensorFile& file) {
    Checkpoint checkpoint;
    std::map<std::string, std::string> whole_names;
    for (const auto& [whole, tensor] : file.tensors) {
      const std::string name(WithoutWrappers(whole));
      const auto [other, fresh] = whole_names.emplace(name, whole);
      if (!fresh) {
        return absl::InvalidArgumentError(absl::StrCat("tensors '", other->second, "' and '", whole, "' are both '",
                                                       name, "': keep one of the two networks"));
      }
      checkpoint.tensors_.emplace(name, &tensor);
    }
    return checkpoint;
  }

  bool HasPart(absl::string_view part) const {
    return std::any_of(tensors_.begin(), tensors_.end(), [&](const auto& entry) {
      return absl::StrCat(".", entry.first, ".").find(absl::StrCat(".", part, ".")) != std::string::npos;
    });
  }

  std::vector<float> Take(const std::string& name, const std::vector<int64_t>& shape) {
    int64_t count = 1;
    for (const int64_t extent : shape) count *= extent;
    const auto found = tensors_.find(name);
    if (found == tensors_.end()) {
      missing_.push_back(ShapeText(name, shape));
      return std::vector<float>(count);
    }
    taken_.insert(name);
    const TensorView& tensor = *found->second;
    if (tensor.shape != shape || !IsFloat(tensor.type)) {
      misshapen_.push_back(absl::StrCat(ShapeText(name, tensor.shape),
                                        IsFloat(tensor.type) ? "" : absl::StrCat(" of ", tensor.type_name),
                                        ", expected [", absl::StrJoin(shape, ","), "]"));
      return std::vector<float>(count);
    }
    std::vector<float> values = ToFloats(tensor);
    if (!std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); })) infinite_.push_back(name);
    return values;
  }

  absl::Status status() const {
    std::vector<std::string> unexpected;
    for (const auto& [name, tensor] : tensors_) {
      if (!taken_.contains(name) && Computes(name, *tensor)) unexpected.push_back(ShapeText(name, tensor->shape));
    }
    std::string text;
    AppendList(text, "missing", missing_);
    AppendList(text, "of another shape", misshapen_);
    AppendList(text, "unexpected", unexpected);
    AppendList(text, "not finite", infinite_);
    return text.empty() ? absl::OkStatus() : absl::InvalidArgumentError(text);
  }

  std::string Unneeded() const {
    std::vector<std::pair<std::string, const TensorView*>> unneeded;
    for (const auto& entry : tensors_) {
      if (!taken_.contains(entry.first)) unneeded.push_back(entry);
    }
    return Together(unneeded);
  }

 private:
  Checkpoint() = default;

  // Whether leaving the tensor out would make another network. PyTorch counts batches for a momentum that nobody needs
  // any more; masks of pruned weights are already in these.
  static bool Computes(absl::string_view name, const TensorView& tensor) {
    return IsOfResNet(name) && IsFloat(tensor.type) && !absl::EndsWith(name, "num_batches_tracked");
  }

  std::map<std::string, const TensorView*> tensors_;  // by their names without wrappers'; into the file
  std::set<std::string> taken_;
  std::vector<std::string> missing_, misshapen_, infinite_;
};

Dialect DialectOf(const Checkpoint& checkpoint) {
  Dialect dialect;
  for (const char* name : {"fc", "linear"}) {
    if (checkpoint.HasPart(name)) dialect.head = name;
  }
  for (const char* name : {"downsample", "shortcut"}) {
    if (checkpoint.HasPart(name)) dialect.shortcut = name;
  }
  return dialect;
}

// How a layer's weights lie in a checkpoint: convolutions [out][channel][row][column], the last layer [out][channel
// of the map][row][column]. The artifact has the channel last.
struct WeightOrder {
  int64_t channels = 0;
  int64_t area = 0;
};

WeightOrder OrderOf(const PlannedNode& node) {
  if (node.kind == NodeKind::kLinear) return {node.in.channels, node.in.height * node.in.width};
  const int64_t area = int64_t{node.kernel} * node.kernel;
  return {node.depth / area, area};
}

std::vector<int64_t> CheckpointShape(const PlannedNode& node) {
  if (node.kind == NodeKind::kLinear) return {node.out.channels, node.depth};
  const WeightOrder order = OrderOf(node);
  return {node.out.channels, order.channels, node.kernel, node.kernel};
}

// Transposes [out][rows][columns] to [out][columns][rows].
std::vector<float> Transposed(std::span<const float> values, int64_t rows, int64_t columns) {
  std::vector<float> out(values.size());
  const int64_t size = rows * columns, outputs = size == 0 ? 0 : static_cast<int64_t>(values.size()) / size;
  for (int64_t o = 0; o < outputs; ++o) {
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < columns; ++c) out[o * size + c * rows + r] = values[o * size + r * columns + c];
    }
  }
  return out;
}

struct FoldedNorm {
  std::vector<double> scale, bias;
};

FoldedNorm TakeNorm(Checkpoint& checkpoint, const std::string& name, int64_t channels, double epsilon) {
  const std::vector<float> gamma = checkpoint.Take(name + ".weight", {channels});
  const std::vector<float> beta = checkpoint.Take(name + ".bias", {channels});
  const std::vector<float> mean = checkpoint.Take(name + ".running_mean", {channels});
  const std::vector<float> variance = checkpoint.Take(name + ".running_var", {channels});
  FoldedNorm folded;
  for (size_t o = 0; o < gamma.size(); ++o) {
    const double scale = gamma[o] / std::sqrt(std::max(0.0, static_cast<double>(variance[o])) + epsilon);
    folded.scale.push_back(scale);
    folded.bias.push_back(beta[o] - mean[o] * scale);
  }
  return folded;
}

// (code / 255 - mean) / deviation into weights and batch norm.
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

}  // namespace

absl::StatusOr<FloatNetwork> ImportFloatNetwork(const TensorFile& file, const NetworkSpec& spec,
                                                const InputNormalisation& normalisation, double norm_epsilon) {
  const absl::StatusOr<NetworkPlan> plan = PlanNetwork(spec);
  if (!plan.ok()) return plan.status();
  if (absl::Status status = CheckNormalisation(normalisation, plan->input.channels); !status.ok()) return status;
  if (absl::Status status = CheckShortcuts(*plan, file.metadata.contains(kShortcutRelu)); !status.ok()) return status;
  absl::StatusOr<Checkpoint> read = Checkpoint::Create(file);
  if (!read.ok()) return read.status();
  Checkpoint& checkpoint = *read;
  const Dialect dialect = DialectOf(checkpoint);
  Artifact artifact{.spec = spec};
  ArtifactPoint& point = artifact.points.emplace_back();
  point.info = {.name = "fp32", .weight_bits = 32, .activation_bits = 32};
  point.full_precision = true;
  for (const int index : plan->layers) {
    const PlannedNode& node = plan->nodes[index];
    const std::optional<LayerNames> names = NamesOf(node.name, dialect);
    if (!names.has_value()) return Nameless(node);
    const WeightOrder order = OrderOf(node);
    LayerStore& store = artifact.store.emplace_back();
    store.full =
        Transposed(checkpoint.Take(names->weight + ".weight", CheckpointShape(node)), order.channels, order.area);
    FoldedNorm norm;
    if (node.kind == NodeKind::kConv) {
      norm = TakeNorm(checkpoint, names->norm, node.out.channels, norm_epsilon);
    } else {
      // The pool gives sums; its division is here.
      const PlannedNode* pool = plan->PoolReadBy(node);
      const double area = pool == nullptr ? 1 : static_cast<double>(pool->pooled());
      norm.scale.assign(node.out.channels, 1 / area);
      const std::vector<float> bias = checkpoint.Take(names->weight + ".bias", {node.out.channels});
      norm.bias.assign(bias.begin(), bias.end());
    }
    if (node.input == kNetworkInput) FoldInput(normalisation, order, store.full, norm);
    LayerEpilogue& layer = point.layers.emplace_back();
    layer.scale.assign(norm.scale.begin(), norm.scale.end());
    layer.bias.assign(norm.bias.begin(), norm.bias.end());
    if (node.has_residual) layer.residual_scale = 1;
  }
  if (absl::Status status = checkpoint.status(); !status.ok()) return status;
  for (size_t i = 0; i < artifact.store.size(); ++i) {
    LayerStore& store = artifact.store[i];
    const CodeRange whole;
    RoundedWeights rounded = RoundToNearest(store.full, plan->layer(static_cast<int>(i)).out.channels, {&whole, 1});
    store.q8 = std::move(rounded.q8);
    store.scale = std::move(rounded.scale);
  }
  return FloatNetwork{std::move(artifact), checkpoint.Unneeded()};
}

absl::StatusOr<std::string> ExportFloatNetwork(const Artifact& artifact, double norm_epsilon) {
  const absl::StatusOr<NetworkPlan> plan = PlanNetwork(artifact.spec);
  if (!plan.ok()) return plan.status();
  const ArtifactPoint* point = FullPrecisionPoint(artifact);
  if (point == nullptr) return absl::InvalidArgumentError("the artifact has no full-precision point");
  SafetensorsWriter writer;
  writer.AddMetadata("format", "pt");
  for (size_t i = 0; i < plan->layers.size(); ++i) {
    const PlannedNode& node = plan->layer(static_cast<int>(i));
    const std::optional<LayerNames> names = NamesOf(node.name, Dialect{});
    if (!names.has_value()) return Nameless(node);
    if (IsShortcut(node) && node.relu) writer.AddMetadata(kShortcutRelu, "1");
    const WeightOrder order = OrderOf(node);
    const LayerEpilogue& layer = point->layers[i];
    if (node.has_residual && layer.residual_scale != 1) {
      return absl::InvalidArgumentError(
          absl::StrCat("node '", node.name, "' scales what it adds by ", layer.residual_scale, "; a ResNet does not"));
    }
    std::vector<float> weights = Transposed(artifact.store[i].full, order.area, order.channels);
    std::vector<float> scale = layer.scale;
    if (node.input == kNetworkInput) {
      for (float& s : scale) s *= static_cast<float>(kHighestCode);
    }
    if (const PlannedNode* pool = plan->PoolReadBy(node)) {
      for (float& s : scale) s *= static_cast<float>(pool->pooled());
    }
    if (node.kind == NodeKind::kLinear) {
      const size_t depth = static_cast<size_t>(node.depth);
      for (size_t j = 0; j < weights.size(); ++j) weights[j] *= scale[j / depth];
      writer.AddFloat(names->weight + ".weight", CheckpointShape(node), weights);
      writer.AddFloat(names->weight + ".bias", {node.out.channels}, layer.bias);
      continue;
    }
    writer.AddFloat(names->weight + ".weight", CheckpointShape(node), weights);
    const std::vector<float> zeros(scale.size(), 0.0f), ones(scale.size(), static_cast<float>(1 - norm_epsilon));
    writer.AddFloat(names->norm + ".weight", {node.out.channels}, scale);
    writer.AddFloat(names->norm + ".bias", {node.out.channels}, layer.bias);
    writer.AddFloat(names->norm + ".running_mean", {node.out.channels}, zeros);
    writer.AddFloat(names->norm + ".running_var", {node.out.channels}, ones);
  }
  return writer.Finish();
}

}  // namespace anybit
