// Concatenation of channels by the layers that exist: each operand is put in its place among zeros, and these are
// added.
//
// An operand that one dense convolution computes for nothing else gets more outputs, of zeros. Others are copied by a
// convolution of ones.
#include <algorithm>
#include <utility>
#include <vector>

#include "model/import/operators.h"
#include "model/import/resolve_shapes.h"

namespace anybit::model {
namespace {

constexpr int64_t kMaxLayerWeights = int64_t{1} << 28;

// Whether the layer of `value` may compute more channels than now.
bool CanWiden(const FeatureValue& value, Lowering& state) {
  if (value.layer == kNetworkInput || value.shared || !value.affine.empty()) return false;
  const FloatLayer& layer = state.layer(value);
  return layer.kind == NodeKind::kConv && !layer.depthwise && layer.residual == kNoLayer;
}

// Moves the outputs of `layer` to those from `first` on, of `channels`; the others are 0.
void Widen(int64_t first, int64_t channels, FloatLayer& layer) {
  const int64_t depth = layer.depth(), own = layer.out.channels;
  std::vector<float> weights(static_cast<size_t>(channels * depth), 0.0f);
  std::copy(layer.weights.begin(), layer.weights.end(), weights.begin() + first * depth);
  std::vector<double> scale(static_cast<size_t>(channels), 1), bias(static_cast<size_t>(channels), 0);
  std::copy(layer.scale.begin(), layer.scale.end(), scale.begin() + first);
  std::copy(layer.bias.begin(), layer.bias.end(), bias.begin() + first);
  layer.weights = std::move(weights);
  layer.scale = std::move(scale);
  layer.bias = std::move(bias);
  layer.out.channels += channels - own;
}

// The channels of `value` as those from `first` on, of `axes`.
absl::StatusOr<FeatureValue> Placed(const GraphNode& node, const FeatureValue& value, int64_t first,
                                    const TensorAxes& axes, Lowering& state) {
  const int64_t channels = axes.map().channels, own = value.axes.map().channels;
  if (CanWiden(value, state)) {
    FloatLayer& layer = state.layer(value);
    if (layer.depth() > kMaxLayerWeights / channels) {
      return Lowering::Refuse(node, layer.depth(), " x ", channels, " weights exceed ", kMaxLayerWeights);
    }
    Widen(first, channels, layer);
    return FeatureValue{.layer = value.layer, .axes = axes};
  }
  if (own > kMaxLayerWeights / channels) {
    return Lowering::Refuse(node, own, " x ", channels, " weights exceed ", kMaxLayerWeights);
  }
  FloatLayer made{.kind = NodeKind::kConv,
                  .in = value.axes.map(),
                  .out = axes.map(),
                  .weights = std::vector<float>(static_cast<size_t>(channels * own), 0.0f),
                  .scale = std::vector<double>(static_cast<size_t>(channels), 1),
                  .bias = std::vector<double>(static_cast<size_t>(channels), 0)};
  for (int64_t c = 0; c < own; ++c) made.weights[(first + c) * own + c] = 1;
  made.relu = state.IsNonNegative(value);
  return state.AppendWeighted(node, value, std::move(made), axes);
}

absl::Status LowerConcat(const GraphNode& node, Lowering& state) {
  std::vector<FeatureValue> operands;
  int64_t channels = 0;
  bool rectified = true;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    absl::StatusOr<FeatureValue> operand = state.FeatureInput(node, i);
    if (!operand.ok()) return operand.status();
    const absl::StatusOr<size_t> axis = ResolveAxis(node.Integer("axis", 1), operand->axes.rank());
    const FeatureShape& map = operand->axes.map();
    if (!axis.ok() || *axis != 1 || (!operand->axes.IsMap() && !operand->axes.IsFlat()) ||
        operand->axes.shape()[1] != map.channels) {
      return Lowering::Refuse(node, "not of channels; accepted: axis 1 of [batch, channels, ...]");
    }
    if (!operands.empty() &&
        (map.height != operands[0].axes.map().height || map.width != operands[0].axes.map().width ||
         operand->axes.rank() != operands[0].axes.rank())) {
      return Lowering::Refuse(node, "its operands differ in rows or columns; accepted: equal ones");
    }
    channels += map.channels;
    rectified = rectified && state.IsNonNegative(*operand);
    operands.push_back(*std::move(operand));
  }
  if (operands.empty()) return Lowering::Refuse(node, "it has no operand");
  FeatureShape map = operands[0].axes.map();
  map.channels = channels;
  const int64_t batch = operands[0].axes.batch();
  const TensorAxes axes =
      operands[0].axes.rank() == 4 ? TensorAxes::Map(batch, map) : TensorAxes::Vector(batch, channels);
  FeatureValue sum = operands[0];
  int64_t first = 0;
  for (size_t i = 0; i < operands.size(); ++i) {
    absl::StatusOr<FeatureValue> placed = Placed(node, operands[i], first, axes, state);
    if (!placed.ok()) return placed.status();
    FloatLayer& layer = state.layer(*placed);
    // Values below 0 of the operands before must pass, and those of this one are not cut again.
    if (!rectified && layer.relu) {
      placed = state.Materialized(node, *placed);
      if (!placed.ok()) return placed.status();
    }
    if (i > 0) state.layer(*placed).residual = sum.layer;
    first += operands[i].axes.map().channels;
    sum = *std::move(placed);
  }
  state.layers().sparse.push_back(Describe(node));
  state.layers().notes.push_back(absl::StrCat(Describe(node), " runs as additions of ", channels, " channels"));
  state.Set(node, std::move(sum));
  return absl::OkStatus();
}

}  // namespace

void AddConcatOperator(OperatorTable& table) { table["Concat"] = LowerConcat; }

}  // namespace anybit::model
