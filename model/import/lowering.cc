#include "model/import/lowering.h"

#include <algorithm>

namespace anybit::model {
namespace {

// Those of PlanNetwork, which is asked at the end: here they keep sizes in range on the way.
constexpr size_t kMaxLayers = 4096;
constexpr int64_t kMaxChannels = 65536, kMaxElements = int64_t{1} << 24;
// Of all layers together: 1 GiB of floats.
constexpr int64_t kMaxWeights = int64_t{1} << 28;

// Elements of all computed constants. It bounds the time as well, because each costs about as much as it has elements.
constexpr int64_t kMaxComputed = int64_t{1} << 27;

constexpr int kMaxKernel = 7;

}  // namespace

bool ChannelAffine::shifts() const {
  return std::any_of(shift.begin(), shift.end(), [](double s) { return s != 0; });
}

void ChannelAffine::Then(const ChannelAffine& next) {
  if (empty()) {
    *this = next;
    return;
  }
  for (size_t c = 0; c < next.scale.size(); ++c) {
    scale[c] *= next.scale[c];
    shift[c] = shift[c] * next.scale[c] + next.shift[c];
  }
}

Lowering::Lowering(const FloatGraph& graph) : graph_(graph), constants_(graph.constants) {
  for (const GraphNode& node : graph.nodes) {
    for (const std::string& input : node.inputs) ++readers_[input];
  }
  for (const std::string& output : graph.outputs) ++readers_[output];
}

const Constant* Lowering::ConstantOf(const std::string& name) const {
  const auto found = constants_.find(name);
  return found == constants_.end() ? nullptr : found->second.get();
}

const FeatureValue* Lowering::FeatureOf(const std::string& name) const {
  const auto found = features_.find(name);
  return found == features_.end() ? nullptr : &found->second;
}

const Constant* Lowering::ConstantInput(const GraphNode& node, size_t index) const {
  return node.HasInput(index) ? ConstantOf(node.inputs[index]) : nullptr;
}

absl::StatusOr<FeatureValue> Lowering::FeatureInput(const GraphNode& node, size_t index) const {
  if (!node.HasInput(index)) return Refuse(node, "input ", index, " is missing");
  if (const FeatureValue* value = FeatureOf(node.inputs[index])) return *value;
  return Refuse(node, "input '", node.inputs[index], "' is not computed from the network's input");
}

void Lowering::SetInput(FeatureValue value) {
  layers_.input = value.axes.map();
  Name(graph_.input.name, std::move(value));
}

void Lowering::Set(const GraphNode& node, FeatureValue value, size_t index) {
  Name(node.outputs[index], std::move(value));
}

void Lowering::Name(const std::string& name, FeatureValue value) {
  value.shared = value.shared || readers_[name] > 1;
  features_.insert_or_assign(name, std::move(value));
}

absl::Status Lowering::Set(const GraphNode& node, Constant constant) {
  computed_ += constant.count();
  if (computed_ > kMaxComputed) return Refuse(node, "computed constants exceed ", kMaxComputed, " elements");
  constants_[node.outputs[0]] = std::make_shared<const Constant>(std::move(constant));
  return absl::OkStatus();
}

absl::StatusOr<FeatureValue> Lowering::Append(const GraphNode& node, const FeatureValue& input, FloatLayer made,
                                              const TensorAxes& axes) {
  made.origin = Describe(node);
  made.name = node.name;
  made.input = input.layer;
  made.input_is_shared = input.shared;
  if (layers_.layers.size() == kMaxLayers) return Refuse(node, "more than ", kMaxLayers, " layers");
  for (const FeatureShape& shape : {made.in, made.out}) {
    if (shape.channels < 1 || shape.channels > kMaxChannels || shape.height < 1 || shape.width < 1 ||
        shape.height > kMaxElements || shape.width > kMaxElements ||
        shape.height * shape.width > kMaxElements / shape.channels) {
      return Refuse(node, "a map of ", shape.height, "x", shape.width, "x", shape.channels, ", the limits are ",
                    kMaxChannels, " channels and ", kMaxElements, " elements");
    }
  }
  weights_ += static_cast<int64_t>(made.weights.size());
  if (weights_ > kMaxWeights) return Refuse(node, "the network exceeds ", kMaxWeights, " weights");
  layers_.layers.push_back(std::move(made));
  return FeatureValue{.layer = static_cast<int>(layers_.layers.size()) - 1, .axes = axes};
}

absl::StatusOr<FeatureValue> Lowering::AppendWeighted(const GraphNode& node, FeatureValue input, FloatLayer made,
                                                      const TensorAxes& axes) {
  if (made.padding > 0 && input.affine.shifts()) {
    // Padding is 0 behind the shift. Only for the network's input may it be another value (FloatLayers::border).
    if (input.layer == kNetworkInput) {
      std::vector<float> border;
      for (size_t c = 0; c < input.affine.scale.size(); ++c) {
        border.push_back(static_cast<float>(-input.affine.shift[c] / input.affine.scale[c]));
      }
      if (!layers_.border.empty() && layers_.border != border) {
        return Refuse(node, "it reads the network's input with another scale than the convolutions before it");
      }
      layers_.border = std::move(border);
    } else {
      absl::StatusOr<FeatureValue> computed = Materialized(node, input);
      if (!computed.ok()) return computed;
      input = *std::move(computed);
    }
  }
  if (!input.affine.empty()) {
    const int64_t depth = made.depth(), channels = made.in.channels;
    for (int64_t o = 0; o < made.out.channels; ++o) {
      double shift = 0;
      for (int64_t d = 0; d < depth; ++d) {
        const int64_t c = made.depthwise ? o : d % channels;
        float& weight = made.weights[o * depth + d];
        shift += double{weight} * input.affine.shift[c];
        weight = static_cast<float>(weight * input.affine.scale[c]);
      }
      made.bias[o] += shift * made.scale[o];
    }
  }
  ReadThroughChoices(input, made);
  return Append(node, input, std::move(made), axes);
}

void Lowering::ReadThroughChoices(FeatureValue& input, FloatLayer& made) const {
  input.affine = {};  // the weights have it
  while (!made.depthwise && input.layer != kNetworkInput) {
    const FloatLayer& choice = layers_.layers[input.layer];
    // A ReLU there may cut, unless nothing below 0 comes in.
    if (!choice.is_choice() || (choice.relu && !IsNonNegative(choice.input))) return;
    const int64_t outputs = made.out.channels, from = made.in.channels, to = choice.in.channels;
    const int64_t places = made.depth() / from;
    if (places * to > kMaxWeights / outputs) return;
    std::vector<float> weights(static_cast<size_t>(outputs * places * to), 0.0f);
    for (size_t i = 0; i < made.weights.size(); ++i) {
      const auto at = static_cast<int64_t>(i);
      weights[at / from * to + choice.choice[at % from]] += made.weights[i];
    }
    made.weights = std::move(weights);
    made.in.channels = to;
    input.layer = choice.input;
    input.shared = true;
  }
}

absl::StatusOr<FeatureValue> Lowering::Chosen(const GraphNode& node, const FeatureValue& value,
                                              const std::vector<int64_t>& channels) {
  const FeatureShape& in = value.axes.map();
  const auto count = static_cast<int64_t>(channels.size());
  if (count > kMaxWeights / in.channels) {
    return Refuse(node, count, " x ", in.channels, " weights exceed ", kMaxWeights);
  }
  FloatLayer made{.kind = NodeKind::kConv, .in = in, .out = in};
  made.out.channels = count;
  made.relu = IsNonNegative(value);
  made.weights.assign(static_cast<size_t>(count * in.channels), 0.0f);
  for (int64_t c = 0; c < count; ++c) made.weights[c * in.channels + channels[c]] = 1;
  made.scale.assign(channels.size(), 1);
  made.bias.assign(channels.size(), 0);
  const bool plain = value.affine.empty();
  const TensorAxes axes = value.axes.rank() == 4 ? TensorAxes::Map(value.axes.batch(), made.out)
                                                 : TensorAxes::Vector(value.axes.batch(), count);
  layers_.sparse.push_back(Describe(node));
  absl::StatusOr<FeatureValue> chosen = AppendWeighted(node, value, std::move(made), axes);
  // Choices that it read through are part of its weights.
  if (!chosen.ok() || !plain) return chosen;
  FloatLayer& layer = layers_.layers[chosen->layer];
  for (int64_t c = 0; c < count; ++c) {
    const auto first = layer.weights.begin() + c * layer.in.channels;
    layer.choice.push_back(std::find(first, first + layer.in.channels, 1.0f) - first);
  }
  return chosen;
}

absl::StatusOr<FeatureValue> Lowering::Materialized(const GraphNode& node, const FeatureValue& value) {
  const FeatureShape& map = value.axes.map();
  FloatLayer made{.kind = NodeKind::kConv, .in = map, .out = map, .depthwise = map.channels > 1};
  made.relu = IsNonNegative(value);
  made.weights.assign(map.channels, 1.0f);
  made.scale = value.affine.scale;
  made.bias = value.affine.shift;
  made.scale.resize(map.channels, 1);
  made.bias.resize(map.channels, 0);
  FeatureValue plain = value;
  plain.affine = {};
  return Append(node, plain, std::move(made), value.axes);
}

bool Lowering::IsOpen(const FeatureValue& value) const {
  if (value.layer == kNetworkInput || value.shared || !value.affine.empty()) return false;
  const FloatLayer& layer = layers_.layers[value.layer];
  return layer.has_weights() && !layer.is_activated();
}

bool Lowering::IsNonNegative(int layer) const {
  while (layer != kNetworkInput) {
    const FloatLayer& node = layers_.layers[layer];
    if (node.has_weights()) return node.is_non_negative();
    // Factors may be below 0, too.
    if (node.kind == NodeKind::kGate && !IsNonNegative(node.residual)) return false;
    layer = node.input;
  }
  return true;
}

bool Lowering::IsNonNegative(const FeatureValue& value) const {
  const auto all = [](const std::vector<double>& values) {
    return std::all_of(values.begin(), values.end(), [](double v) { return v >= 0; });
  };
  return value.clipped || (IsNonNegative(value.layer) && all(value.affine.scale) && all(value.affine.shift));
}

absl::Status Lowering::AsConvolution(FloatLayer& layer) {
  if (layer.kind == NodeKind::kConv) return absl::OkStatus();
  if (layer.in.height != layer.in.width || layer.in.height > kMaxKernel) {
    return absl::InvalidArgumentError(
        absl::StrCat(layer.origin, ": not the network's last layer, and it reads a map of ", layer.in.height, "x",
                     layer.in.width, "; accepted: square maps of at most ", kMaxKernel, "x", kMaxKernel));
  }
  layer.kind = NodeKind::kConv;
  layer.kernel = static_cast<int>(layer.in.height);
  return absl::OkStatus();
}

}  // namespace anybit::model
