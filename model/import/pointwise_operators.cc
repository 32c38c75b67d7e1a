// Batch norm, activations, additions, and constants that are added or multiplied.
#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "model/import/fuse_activations.h"
#include "model/import/operators.h"

namespace anybit::model {
namespace {

// Applies `affine` to `value`: in the layer that computes it, or later.
void Apply(const ChannelAffine& affine, FeatureValue& value, Lowering& state) {
  value.clipped = false;
  if (!state.IsOpen(value)) return value.affine.Then(affine);
  FloatLayer& layer = state.layer(value);
  // What is added must not be scaled.
  const bool scales = std::any_of(affine.scale.begin(), affine.scale.end(), [](double s) { return s != 1; });
  if (layer.residual != kNoLayer && scales) return value.affine.Then(affine);
  for (size_t o = 0; o < layer.scale.size(); ++o) {
    layer.scale[o] *= affine.scale[o];
    layer.bias[o] = layer.bias[o] * affine.scale[o] + affine.shift[o];
  }
}

// The values of a constant that is broadcast to a feature map, one per channel.
absl::StatusOr<std::vector<double>> PerChannel(const GraphNode& node, const Constant& constant,
                                               const TensorAxes& axes) {
  const std::vector<int64_t> shape = axes.shape();
  const size_t rank = constant.shape.size();
  bool fits = !constant.integer && rank <= shape.size();
  for (size_t i = 0; fits && i < rank; ++i) {
    const size_t dimension = shape.size() - rank + i;
    const bool channels = axes.IsChannels(dimension) && constant.shape[i] == shape[dimension];
    fits = constant.shape[i] == 1 || channels;
  }
  if (!fits || constant.count() < 1) {
    return Lowering::Refuse(node, "a constant that is not one number, or one for each channel; accepted: these");
  }
  std::vector<double> values(constant.floats.begin(), constant.floats.end());
  values.resize(static_cast<size_t>(axes.map().channels), values[0]);
  return values;
}

absl::Status LowerBatchNorm(const GraphNode& node, Lowering& state) {
  absl::StatusOr<FeatureValue> value = state.FeatureInput(node, 0);
  if (!value.ok()) return value.status();
  if (value->axes.rank() < 2 || !value->axes.IsChannels(1)) {
    return Lowering::Refuse(node, "its input's second dimension is not the channels; accepted: [batch, channels, ...]");
  }
  const int64_t channels = value->axes.map().channels;
  const Constant* parameters[4];
  for (size_t i = 0; i < 4; ++i) {
    parameters[i] = state.ConstantInput(node, i + 1);
    if (parameters[i] == nullptr || parameters[i]->integer || parameters[i]->count() != channels) {
      return Lowering::Refuse(node, "input ", i + 1, " is not a constant of ", channels, " values; accepted: that");
    }
  }
  if (node.Integer("training_mode", 0) != 0) {
    return Lowering::Refuse(node, "training mode; accepted: networks exported for inference");
  }
  const double epsilon = node.Number("epsilon", 1e-5f);
  ChannelAffine affine;
  for (int64_t c = 0; c < channels; ++c) {
    const double variance = parameters[3]->floats[c];
    const double scale = parameters[0]->floats[c] / std::sqrt(std::max(0.0, variance) + epsilon);
    affine.scale.push_back(scale);
    affine.shift.push_back(parameters[1]->floats[c] - parameters[2]->floats[c] * scale);
  }
  Apply(affine, *value, state);
  state.Set(node, *std::move(value));
  return absl::OkStatus();
}

// max(x, 0).
absl::StatusOr<FeatureValue> Rectified(const GraphNode& node, FeatureValue value, Lowering& state) {
  if (state.IsNonNegative(value)) return value;
  if (state.IsOpen(value)) {
    if (absl::Status status = state.AsConvolution(state.layer(value)); !status.ok()) return status;
    state.layer(value).relu = true;
    return value;
  }
  // A ReLU behind a max pool may as well stand before it.
  if (value.layer != kNetworkInput && value.affine.empty() && !value.shared) {
    const FloatLayer& pool = state.layer(value);
    if (pool.kind == NodeKind::kMaxPool && !pool.input_is_shared && pool.input != kNetworkInput) {
      FloatLayer& before = state.layers().layers[pool.input];
      if (before.kind == NodeKind::kConv) {
        before.relu = true;
        return value;
      }
    }
  }
  absl::StatusOr<FeatureValue> computed = state.Materialized(node, value);
  if (!computed.ok()) return computed;
  state.layer(*computed).relu = true;
  return computed;
}

ChannelAffine Uniform(double scale, double shift, const FeatureValue& value) {
  const auto channels = static_cast<size_t>(value.axes.map().channels);
  return {.scale = std::vector<double>(channels, scale), .shift = std::vector<double>(channels, shift)};
}

// max(x, lowest), as a ReLU between two shifts.
absl::StatusOr<FeatureValue> NotBelow(const GraphNode& node, double lowest, FeatureValue value, Lowering& state) {
  if (lowest != 0) Apply(Uniform(1, -lowest, value), value, state);
  absl::StatusOr<FeatureValue> above = Rectified(node, std::move(value), state);
  if (above.ok() && lowest != 0) Apply(Uniform(1, lowest, *above), *above, state);
  return above;
}

// The value behind `activation`, in the layer that computes it or in one of its own.
absl::StatusOr<FeatureValue> Activated(const GraphNode& node, const Activation& activation, FeatureValue value,
                                       Lowering& state) {
  if (!state.IsOpen(value)) {
    absl::StatusOr<FeatureValue> computed = state.Materialized(node, value);
    if (!computed.ok()) return computed;
    value = *std::move(computed);
    state.layer(value).relu = false;
  }
  if (absl::Status status = state.AsConvolution(state.layer(value)); !status.ok()) return status;
  state.layer(value).activation = activation;
  return value;
}

// min(x, highest), as highest - max(highest - x, 0), where the lower limit is not 0.
absl::StatusOr<FeatureValue> NotAbove(const GraphNode& node, double highest, FeatureValue value, Lowering& state) {
  Apply(Uniform(-1, highest, value), value, state);
  absl::StatusOr<FeatureValue> below = Rectified(node, std::move(value), state);
  if (below.ok()) Apply(Uniform(-1, highest, *below), *below, state);
  return below;
}

absl::Status LowerRelu(const GraphNode& node, Lowering& state) {
  absl::StatusOr<FeatureValue> value = state.FeatureInput(node, 0);
  if (value.ok()) value = Rectified(node, *std::move(value), state);
  if (!value.ok()) return value.status();
  state.Set(node, *std::move(value));
  return absl::OkStatus();
}

// A limit of a Clip: an attribute in older opsets, an input since.
absl::StatusOr<float> Limit(const GraphNode& node, const char* name, size_t input, float none, Lowering& state) {
  if (node.Has(name)) return node.Number(name, none);
  if (!node.HasInput(input)) return none;
  const Constant* limit = state.ConstantInput(node, input);
  if (limit == nullptr || limit->count() != 1) return Lowering::Refuse(node, "its ", name, " is not a constant number");
  return limit->AsFloat(0);
}

absl::Status LowerClip(const GraphNode& node, Lowering& state) {
  absl::StatusOr<FeatureValue> value = state.FeatureInput(node, 0);
  if (!value.ok()) return value.status();
  const float largest = std::numeric_limits<float>::max();
  const absl::StatusOr<float> lowest = Limit(node, "min", 1, -largest, state);
  if (!lowest.ok()) return lowest.status();
  const absl::StatusOr<float> highest = Limit(node, "max", 2, largest, state);
  if (!highest.ok()) return highest.status();
  if (!(*lowest <= *highest)) return Lowering::Refuse(node, "limits ", *lowest, " and ", *highest);
  if (*lowest == 0 && *highest > 0 && *highest < largest && *highest <= kMaxActivationParameter) {
    value = Activated(node, {.function = proto::Activation::CLIP, .alpha = *highest}, *std::move(value), state);
    if (!value.ok()) return value.status();
    state.Set(node, *std::move(value));
    return absl::OkStatus();
  }
  if (*lowest > -largest) value = NotBelow(node, *lowest, *std::move(value), state);
  if (value.ok() && *highest < largest) {
    value = NotAbove(node, *highest, *std::move(value), state);
    if (value.ok()) value->clipped = *lowest >= 0;
    state.layers().notes.push_back(absl::StrCat(Describe(node), " runs with a layer of its own for its upper limit"));
  }
  if (!value.ok()) return value.status();
  state.Set(node, *std::move(value));
  return absl::OkStatus();
}

// The functions of one value whose parameters are attributes, or none.
absl::StatusOr<Activation> ActivationOf(const GraphNode& node) {
  if (node.op == "HardSigmoid") {
    return Activation{.function = proto::Activation::HARD_SIGMOID,
                      .alpha = node.Number("alpha", 0.2f),
                      .beta = node.Number("beta", 0.5f)};
  }
  if (node.op == "HardSwish") return Activation{.function = proto::Activation::HARD_SWISH};
  if (node.op == "Sigmoid") return Activation{.function = proto::Activation::SIGMOID};
  if (node.op == kSilu) return Activation{.function = proto::Activation::SILU};
  if (node.op == "Gelu") {
    const std::string approximate = node.Text("approximate", "none");
    if (approximate == "none") return Activation{.function = proto::Activation::GELU};
    if (approximate == "tanh") return Activation{.function = proto::Activation::GELU_TANH};
    return Lowering::Refuse(node, "an approximation other than none and tanh");
  }
  if (node.op == "LeakyRelu") {
    return Activation{.function = proto::Activation::LEAKY_RELU, .alpha = node.Number("alpha", 0.01f)};
  }
  if (node.op == "Elu") return Activation{.function = proto::Activation::ELU, .alpha = node.Number("alpha", 1)};
  if (node.op == "Tanh") return Activation{.function = proto::Activation::TANH};
  if (node.op == "Softplus") return Activation{.function = proto::Activation::SOFTPLUS};
  if (node.op == "Mish") return Activation{.function = proto::Activation::MISH};
  return Lowering::Refuse(node, "its function is not known");
}

absl::Status LowerActivation(const GraphNode& node, Lowering& state) {
  const absl::StatusOr<Activation> activation = ActivationOf(node);
  if (!activation.ok()) return activation.status();
  absl::StatusOr<FeatureValue> value = state.FeatureInput(node, 0);
  // Classes keep their order, and clients get logits.
  if (value.ok() && node.op == "Sigmoid" && node.outputs[0] == state.graph().outputs[0]) {
    state.layers().notes.push_back(absl::StrCat(Describe(node), " is left out: the artifact's outputs are logits"));
  } else if (value.ok()) {
    value = Activated(node, *activation, *std::move(value), state);
  }
  if (!value.ok()) return value.status();
  state.Set(node, *std::move(value));
  return absl::OkStatus();
}

// `value` as the output of a layer, and of a convolution where `convolution`.
absl::StatusOr<FeatureValue> Computed(const GraphNode& node, FeatureValue value, bool convolution, Lowering& state) {
  const bool plain = value.layer != kNetworkInput && value.affine.empty();
  if (plain && (!convolution || state.layer(value).has_weights())) {
    if (absl::Status status = state.AsConvolution(state.layer(value)); convolution && !status.ok()) return status;
    return value;
  }
  return state.Materialized(node, value);
}

// A map times one number per channel.
absl::Status MultiplyFeatures(const GraphNode& node, FeatureValue a, FeatureValue b, Lowering& state) {
  const auto is_factor = [](const FeatureValue& value) {
    return value.axes.map().height * value.axes.map().width == 1;
  };
  if (is_factor(a) && !is_factor(b)) std::swap(a, b);
  if (!is_factor(b) || a.axes.map().channels != b.axes.map().channels || !a.axes.IsMap() || !b.axes.IsMap()) {
    return Lowering::Refuse(node,
                            "both operands are computed; accepted: one is a constant, or a map times one number "
                            "for each of its channels");
  }
  absl::StatusOr<FeatureValue> map = Computed(node, std::move(a), false, state);
  if (!map.ok()) return map.status();
  absl::StatusOr<FeatureValue> factors = Computed(node, std::move(b), true, state);
  if (!factors.ok()) return factors.status();
  FloatLayer made{.kind = NodeKind::kGate, .residual = factors->layer, .in = map->axes.map(), .out = map->axes.map()};
  const TensorAxes axes = map->axes;
  absl::StatusOr<FeatureValue> output = state.Append(node, *map, std::move(made), axes);
  if (!output.ok()) return output.status();
  state.Set(node, *std::move(output));
  return absl::OkStatus();
}

// The layer that takes the addition of `other`, of those that can; null: neither.
FeatureValue* BaseOf(FeatureValue& a, FeatureValue& b, Lowering& state) {
  FeatureValue* base = nullptr;
  for (FeatureValue* value : {&a, &b}) {
    if (!state.IsOpen(*value) || state.layer(*value).residual != kNoLayer) continue;
    if (base == nullptr || state.layer(*value).macs() > state.layer(*base).macs()) base = value;
  }
  return base;
}

absl::Status AddFeatures(const GraphNode& node, FeatureValue a, FeatureValue b, Lowering& state) {
  if (!(a.axes == b.axes)) {
    return Lowering::Refuse(node, "its operands differ in shape or arrangement; accepted: equal ones, or a constant");
  }
  FeatureValue* base = BaseOf(a, b, state);
  if (base == nullptr) {
    absl::StatusOr<FeatureValue> computed = state.Materialized(node, a);
    if (!computed.ok()) return computed.status();
    a = *std::move(computed);
    base = &a;
  }
  FeatureValue& added = base == &a ? b : a;
  if (!added.affine.empty()) {
    absl::StatusOr<FeatureValue> computed = state.Materialized(node, added);
    if (!computed.ok()) return computed.status();
    added = *std::move(computed);
  }
  if (absl::Status status = state.AsConvolution(state.layer(*base)); !status.ok()) return status;
  state.layer(*base).residual = added.layer;
  state.Set(node, *base);
  return absl::OkStatus();
}

// Adds, subtracts, multiplies or divides by a constant; `constant_first`: the constant is the left operand.
absl::StatusOr<ChannelAffine> WithConstant(const GraphNode& node, const std::vector<double>& constant,
                                           bool constant_first) {
  ChannelAffine affine{.scale = std::vector<double>(constant.size(), 1),
                       .shift = std::vector<double>(constant.size(), 0)};
  for (size_t c = 0; c < constant.size(); ++c) {
    if (node.op == "Add") affine.shift[c] = constant[c];
    if (node.op == "Sub") affine.shift[c] = constant_first ? constant[c] : -constant[c];
    if (node.op == "Sub" && constant_first) affine.scale[c] = -1;
    if (node.op == "Mul") affine.scale[c] = constant[c];
    if (node.op != "Div") continue;
    if (constant_first || constant[c] == 0) return Lowering::Refuse(node, "a division by 0, or of a constant");
    affine.scale[c] = 1 / constant[c];
  }
  return affine;
}

absl::Status LowerArithmetic(const GraphNode& node, Lowering& state) {
  const bool constant_first = state.ConstantInput(node, 0) != nullptr;
  const Constant* constant = state.ConstantInput(node, constant_first ? 0 : 1);
  absl::StatusOr<FeatureValue> value = state.FeatureInput(node, constant_first ? 1 : 0);
  if (!value.ok()) return value.status();
  if (constant == nullptr) {
    absl::StatusOr<FeatureValue> other = state.FeatureInput(node, 1);
    if (!other.ok()) return other.status();
    if (node.op == "Mul") return MultiplyFeatures(node, *std::move(value), *std::move(other), state);
    if (node.op == "Div") return Lowering::Refuse(node, "both operands are computed; accepted: one is a constant");
    if (node.op == "Sub") {
      const auto channels = static_cast<size_t>(other->axes.map().channels);
      Apply({.scale = std::vector<double>(channels, -1), .shift = std::vector<double>(channels, 0)}, *other, state);
    }
    return AddFeatures(node, *std::move(value), *std::move(other), state);
  }
  const absl::StatusOr<std::vector<double>> values = PerChannel(node, *constant, value->axes);
  if (!values.ok()) return values.status();
  const absl::StatusOr<ChannelAffine> affine = WithConstant(node, *values, constant_first);
  if (!affine.ok()) return affine.status();
  Apply(*affine, *value, state);
  state.Set(node, *std::move(value));
  return absl::OkStatus();
}

}  // namespace

void AddPointwiseOperators(OperatorTable& table) {
  for (const char* op : {"Add", "Sub", "Mul", "Div"}) table[op] = LowerArithmetic;
  table["BatchNormalization"] = LowerBatchNorm;
  table["Clip"] = LowerClip;
  for (const char* op :
       {"Elu", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Mish", "Sigmoid", "Softplus", "Tanh"}) {
    table[op] = LowerActivation;
  }
  table[kSilu] = LowerActivation;
  table["Relu"] = LowerRelu;
}

}  // namespace anybit::model
