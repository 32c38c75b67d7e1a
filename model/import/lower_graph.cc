#include "model/import/lower_graph.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/import/finish_layers.h"
#include "model/import/fold_constants.h"
#include "model/import/fuse_activations.h"
#include "model/import/lowering.h"
#include "model/import/operators.h"

namespace anybit::model {
namespace {

constexpr int64_t kMaxSide = 4096, kMaxBatch = 4096;
constexpr double kHighestCode = 255;

template <typename... Parts>
absl::Status Refused(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

const OperatorTable& Operators() {
  static const auto& operators = *[] {
    auto* table = new OperatorTable();
    AddWindowOperators(*table);
    AddChannelOperators(*table);
    AddConcatOperator(*table);
    AddLinearOperators(*table);
    AddPointwiseOperators(*table);
    AddShapeOperators(*table);
    return table;
  }();
  return operators;
}

// Says of all nodes at once which operators are missing.
absl::Status CheckOperators(const FloatGraph& graph) {
  std::vector<std::string> nodes;
  std::set<std::string> operators;
  for (const GraphNode& node : graph.nodes) {
    if (Operators().contains(node.op) || CanFold(node.op)) continue;
    if (operators.insert(node.op).second) nodes.push_back(Describe(node));
  }
  if (nodes.empty()) return absl::OkStatus();
  constexpr size_t kMaxListed = 12;
  const size_t listed = std::min(nodes.size(), kMaxListed);
  nodes.resize(listed);
  return Refused(absl::StrJoin(nodes, ", "), listed < operators.size() ? ", ..." : "",
                 ": no such operator is supported; accepted: ", absl::StrJoin(SupportedOperators(), ", "));
}

// Of a shape of four extents.
bool ChannelsLast(const std::vector<int64_t>& shape) {
  const auto colours = [](int64_t channels) { return channels == 1 || channels == 3 || channels == 4; };
  return colours(shape[3]) && !colours(shape[1]) && shape[3] < shape[1] && shape[3] < shape[2];
}

InputForm FormOf(const GraphInput& input) {
  if (input.codes) return InputForm::kCodes;
  return input.shape.size() == 4 && ChannelsLast(input.shape) ? InputForm::kChannelsLast : InputForm::kChannelsFirst;
}

// The map of an input of shape [batch, channels, rows, columns], [batch, rows, columns, channels] or [batch, features].
// Channels stand last where only the last extent looks like a number of colours, and is the smallest.
absl::StatusOr<TensorAxes> InputAxes(const GraphInput& input) {
  std::vector<int64_t> shape = input.shape;
  if (shape.size() != 2 && shape.size() != 4) {
    return Refused("input '", absl::Utf8SafeCEscape(input.name), "' has ", shape.size(),
                   " dimensions, expected [batch, channels, rows, columns] or [batch, features]");
  }
  const int64_t batch = shape[0] < 0 ? 1 : shape[0];
  if (batch < 1 || batch > kMaxBatch) return Refused("input of a batch of ", batch, ", the limit is ", kMaxBatch);
  for (size_t i = 1; i < shape.size(); ++i) {
    const int64_t limit = shape.size() == 2 ? kMaxSide * kMaxSide : kMaxSide;
    if (shape[i] >= 1 && shape[i] <= limit) continue;
    return Refused("input '", absl::Utf8SafeCEscape(input.name), "': dimension ", i, " is ",
                   shape[i] < 0 ? "not fixed" : absl::StrCat(shape[i]), ", expected 1..", limit);
  }
  if (shape.size() == 2) return TensorAxes::Vector(batch, shape[1]);
  if (!ChannelsLast(shape)) {
    return TensorAxes::Map(batch, {.height = shape[2], .width = shape[3], .channels = shape[1]});
  }
  return TensorAxes::Map(batch, {.height = shape[1], .width = shape[2], .channels = shape[3]}).Transposed({0, 2, 3, 1});
}

absl::StatusOr<ChannelAffine> ScalingOf(const InputScaling& scaling, bool codes, size_t channels) {
  for (const auto* values : {&scaling.mean, &scaling.deviation}) {
    if (values->size() > 1 && values->size() != channels) {
      return Refused("a normalisation of ", values->size(), " channels for an input of ", channels);
    }
    if (codes && !values->empty()) return Refused("a normalisation for an input of bytes, which the network scales");
    for (const float value : *values) {
      if (!std::isfinite(value) || (values == &scaling.deviation && value <= 0)) {
        return Refused("a normalisation by ", value);
      }
    }
  }
  const auto of = [](const std::vector<float>& values, size_t channel, double none) -> double {
    return values.empty() ? none : values[values.size() == 1 ? 0 : channel];
  };
  ChannelAffine affine;
  for (size_t c = 0; c < channels; ++c) {
    const double deviation = of(scaling.deviation, c, 1);
    affine.scale.push_back(codes ? 1 : 1 / (kHighestCode * deviation));
    affine.shift.push_back(codes ? 0 : -of(scaling.mean, c, 0) / deviation);
  }
  return affine;
}

absl::Status LowerNode(const GraphNode& node, Lowering& state) {
  std::vector<const Constant*> constants;
  bool constant = true;
  for (const std::string& input : node.inputs) {
    constants.push_back(input.empty() ? nullptr : state.ConstantOf(input));
    constant = constant && (input.empty() || constants.back() != nullptr);
  }
  if (node.outputs.empty() || node.outputs[0].empty()) return Lowering::Refuse(node, "it has no first output");
  if (constant && CanFold(node.op)) {
    absl::StatusOr<Constant> folded = FoldNode(node, constants, state.graph().opset);
    if (!folded.ok()) return folded.status();
    return state.Set(node, *std::move(folded));
  }
  const auto found = Operators().find(node.op);
  if (found == Operators().end()) {
    return Lowering::Refuse(node, "of values that depend on the network's input; accepted: of constants only");
  }
  return found->second(node, state);
}

}  // namespace

std::vector<std::string> SupportedOperators() {
  std::vector<std::string> names;
  for (const auto& [name, lower] : Operators()) {
    if (name != kSilu) names.push_back(name);
  }
  return names;
}

absl::StatusOr<FloatLayers> LowerGraph(const FloatGraph& graph, const InputScaling& scaling) {
  if (absl::Status status = CheckOperators(graph); !status.ok()) return status;
  const absl::StatusOr<TensorAxes> axes = InputAxes(graph.input);
  if (!axes.ok()) return axes.status();
  absl::StatusOr<ChannelAffine> affine =
      ScalingOf(scaling, graph.input.codes, static_cast<size_t>(axes->map().channels));
  if (!affine.ok()) return affine.status();
  Lowering state(graph);
  state.layers().input_form = FormOf(graph.input);
  state.SetInput({.axes = *axes, .affine = *std::move(affine)});
  for (const GraphNode& node : graph.nodes) {
    if (absl::Status status = LowerNode(node, state); !status.ok()) return status;
  }
  return FinishLayers(state);
}

}  // namespace anybit::model
