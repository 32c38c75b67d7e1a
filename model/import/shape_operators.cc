// Operators that only rearrange or copy.
#include <utility>
#include <vector>

#include "model/import/operators.h"
#include "model/import/resolve_shapes.h"

namespace anybit::model {
namespace {

absl::Status Copy(const GraphNode& node, Lowering& state) {
  absl::StatusOr<FeatureValue> value = state.FeatureInput(node, 0);
  if (!value.ok()) return value.status();
  state.Set(node, *std::move(value));
  return absl::OkStatus();
}

absl::Status LowerDropout(const GraphNode& node, Lowering& state) {
  const Constant* training = state.ConstantInput(node, 2);
  if (training != nullptr && training->count() == 1 && training->AsFloat(0) != 0) {
    return Lowering::Refuse(node, "training mode; accepted: networks exported for inference");
  }
  return Copy(node, state);
}

absl::Status LowerCast(const GraphNode& node, Lowering& state) {
  // The numbers of TensorProto's float types: float, float16, double, bfloat16.
  const int64_t type = node.Integer("to", 1);
  if (type == 1 || type == 10 || type == 11 || type == 16) return Copy(node, state);
  return Lowering::Refuse(node, "of computed values to type ", type, "; accepted: float types");
}

absl::Status LowerShape(const GraphNode& node, Lowering& state) {
  const absl::StatusOr<FeatureValue> value = state.FeatureInput(node, 0);
  if (!value.ok()) return value.status();
  const std::vector<int64_t> shape =
      ResolveShape(value->axes.shape(), node.Integer("start", 0), node.Integer("end", INT64_MAX));
  return state.Set(node, Constant{.shape = {static_cast<int64_t>(shape.size())}, .integer = true, .integers = shape});
}

// Names `value`, of other axes than its node's input; channels that have another order now are put in it.
absl::Status SetRearranged(const GraphNode& node, FeatureValue value, Lowering& state) {
  const std::vector<int64_t> channels = value.axes.ShuffledChannels();
  if (!channels.empty()) {
    value.axes = TensorAxes::Map(value.axes.batch(), value.axes.map());
    absl::StatusOr<FeatureValue> chosen = state.Chosen(node, value, channels);
    if (!chosen.ok()) return chosen.status();
    value = *std::move(chosen);
  }
  state.Set(node, std::move(value));
  return absl::OkStatus();
}

absl::StatusOr<std::vector<int64_t>> NewShape(const GraphNode& node, const std::vector<int64_t>& shape,
                                              const Constant* argument) {
  if (node.op == "Squeeze") return ResolveSqueeze(shape, AxesOf(node, argument));
  if (node.op == "Unsqueeze") return ResolveUnsqueeze(shape, AxesOf(node, argument));
  if (node.op == "Reshape") {
    if (argument == nullptr || !argument->integer) return absl::InvalidArgumentError("its shape is not a constant");
    return ResolveReshape(shape, argument->integers, node.Integer("allowzero", 0) != 0);
  }
  return ResolveFlatten(shape, node.Integer("axis", 1));
}

absl::Status LowerReshape(const GraphNode& node, Lowering& state) {
  absl::StatusOr<FeatureValue> value = state.FeatureInput(node, 0);
  if (!value.ok()) return value.status();
  const absl::StatusOr<std::vector<int64_t>> shape = NewShape(node, value->axes.shape(), state.ConstantInput(node, 1));
  if (!shape.ok()) return Lowering::Refuse(node, shape.status().message());
  absl::StatusOr<TensorAxes> axes = value->axes.Reshaped(*shape);
  if (!axes.ok()) {
    return Lowering::Refuse(node, axes.status().message(), "; accepted: dimensions of whole parts of others");
  }
  value->axes = *std::move(axes);
  return SetRearranged(node, *std::move(value), state);
}

absl::Status LowerTranspose(const GraphNode& node, Lowering& state) {
  absl::StatusOr<FeatureValue> value = state.FeatureInput(node, 0);
  if (!value.ok()) return value.status();
  std::vector<int64_t> order = node.Integers("perm");
  if (order.empty()) {
    for (size_t i = value->axes.rank(); i-- > 0;) order.push_back(static_cast<int64_t>(i));
  }
  absl::StatusOr<TensorAxes> axes = value->axes.Transposed(order);
  if (!axes.ok()) return Lowering::Refuse(node, axes.status().message());
  value->axes = *std::move(axes);
  return SetRearranged(node, *std::move(value), state);
}

// Classes keep their order, and clients get logits.
absl::Status DropLastActivation(const GraphNode& node, Lowering& state) {
  if (node.outputs[0] != state.graph().outputs[0]) {
    return Lowering::Refuse(node, "it is not the network's last; accepted: only there, where it is left out");
  }
  state.layers().notes.push_back(absl::StrCat(Describe(node), " is left out: the artifact's outputs are logits"));
  return Copy(node, state);
}

}  // namespace

void AddShapeOperators(OperatorTable& table) {
  table["Cast"] = LowerCast;
  for (const char* op : {"Flatten", "Reshape", "Squeeze", "Unsqueeze"}) table[op] = LowerReshape;
  table["Dropout"] = LowerDropout;
  table["Identity"] = Copy;
  for (const char* op : {"LogSoftmax", "Softmax"}) table[op] = DropLastActivation;
  table["Shape"] = LowerShape;
  table["Transpose"] = LowerTranspose;
}

}  // namespace anybit::model
