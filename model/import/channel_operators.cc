// Choices of channels: Split, Slice and Gather along them, and the shuffles that exporters write as Reshape, Transpose
// and Reshape.
//
// A choice is a 1x1 convolution of zeros and ones. Convolutions and linear layers that read it read through it
// (Lowering::AppendWeighted): it stays only where something else needs it.
#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/import/fold_constants.h"
#include "model/import/operators.h"
#include "model/import/resolve_shapes.h"

namespace anybit::model {
namespace {

constexpr char kAccepted[] = "; accepted: whole channels of [batch, channels, ...]";

absl::StatusOr<FeatureValue> ChannelsInput(const GraphNode& node, Lowering& state) {
  absl::StatusOr<FeatureValue> value = state.FeatureInput(node, 0);
  if (!value.ok()) return value.status();
  const TensorAxes& axes = value->axes;
  const bool vector = axes.rank() == 2 && axes.IsFlat() && axes.IsChannels(1);
  if (axes.IsMap() || vector) return value;
  return Lowering::Refuse(node, "its input's second dimension is not the channels", kAccepted);
}

// The parts of a Split along `extent`.
absl::StatusOr<std::vector<int64_t>> PartsOf(const GraphNode& node, int64_t extent, Lowering& state) {
  std::vector<int64_t> parts = node.Integers("split");
  if (const Constant* given = state.ConstantInput(node, 1); given != nullptr) parts = given->integers;
  const auto count = static_cast<int64_t>(node.outputs.size());
  if (parts.empty()) {
    const int64_t part = (extent + count - 1) / count;
    parts.assign(static_cast<size_t>(count), part);
    parts.back() = extent - part * (count - 1);
  }
  int64_t sum = 0;
  for (const int64_t part : parts) {
    if (part < 1 || part > extent - sum) return Lowering::Refuse(node, "a part of ", part, " of ", extent, " channels");
    sum += part;
  }
  if (sum == extent && static_cast<int64_t>(parts.size()) == count) return parts;
  return Lowering::Refuse(node, parts.size(), " parts of ", sum, " channels for ", count, " outputs of ", extent);
}

absl::Status LowerSplit(const GraphNode& node, Lowering& state) {
  absl::StatusOr<FeatureValue> value = ChannelsInput(node, state);
  if (!value.ok()) return value.status();
  const absl::StatusOr<size_t> axis = ResolveAxis(node.Integer("axis", 0), value->axes.rank());
  if (!axis.ok() || *axis != 1) return Lowering::Refuse(node, "not of channels", kAccepted);
  const absl::StatusOr<std::vector<int64_t>> parts = PartsOf(node, value->axes.map().channels, state);
  if (!parts.ok()) return parts.status();
  // Several nodes read what is split.
  value->shared = value->shared || parts->size() > 1;
  int64_t first = 0;
  for (size_t i = 0; i < parts->size(); ++i) {
    std::vector<int64_t> channels(static_cast<size_t>((*parts)[i]));
    std::iota(channels.begin(), channels.end(), first);
    first += (*parts)[i];
    if (node.outputs[i].empty()) continue;
    absl::StatusOr<FeatureValue> chosen = state.Chosen(node, *value, channels);
    if (!chosen.ok()) return chosen.status();
    state.Set(node, *std::move(chosen), i);
  }
  return absl::OkStatus();
}

// Slice and Gather: what they do to the numbers of channels they do to the channels.
absl::Status LowerChoice(const GraphNode& node, Lowering& state) {
  const absl::StatusOr<FeatureValue> value = ChannelsInput(node, state);
  if (!value.ok()) return value.status();
  Constant numbers{.shape = value->axes.shape(), .integer = true};
  const int64_t channels = value->axes.map().channels, area = value->axes.map().height * value->axes.map().width;
  if (area * channels > state.kMaxNumbered / value->axes.batch()) {
    return Lowering::Refuse(node, "a map of ", area * channels, " elements; accepted: up to ", state.kMaxNumbered);
  }
  for (int64_t i = 0; i < value->axes.batch() * channels * area; ++i) numbers.integers.push_back(i / area % channels);
  std::vector<const Constant*> inputs = {&numbers};
  for (size_t i = 1; i < node.inputs.size(); ++i) {
    inputs.push_back(state.ConstantInput(node, i));
    if (inputs.back() == nullptr && node.HasInput(i)) return Lowering::Refuse(node, "limits that are not constant");
  }
  const absl::StatusOr<Constant> chosen = FoldNode(node, inputs, state.graph().opset);
  if (!chosen.ok()) return chosen.status();
  std::vector<int64_t> expected = numbers.shape;
  const bool same_rank = chosen->shape.size() == expected.size();
  if (same_rank) expected[1] = chosen->shape[1];
  if (!same_rank || chosen->shape != expected || chosen->count() == 0) {
    return Lowering::Refuse(node, "of other dimensions than the channels", kAccepted);
  }
  std::vector<int64_t> kept;
  for (int64_t c = 0; c < expected[1]; ++c) kept.push_back(chosen->integers[static_cast<size_t>(c * area)]);
  absl::StatusOr<FeatureValue> output = state.Chosen(node, *value, kept);
  if (!output.ok()) return output.status();
  state.Set(node, *std::move(output));
  return absl::OkStatus();
}

}  // namespace

void AddChannelOperators(OperatorTable& table) {
  table["Gather"] = LowerChoice;
  table["Slice"] = LowerChoice;
  table["Split"] = LowerSplit;
}

}  // namespace anybit::model
