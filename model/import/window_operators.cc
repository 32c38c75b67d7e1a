// Convolutions and pools.
#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "model/import/node_window.h"
#include "model/import/operators.h"
#include "model/import/resolve_shapes.h"
#include "model/import/square_window.h"

namespace anybit::model {
namespace {

constexpr int64_t kMaxLayerWeights = int64_t{1} << 28;
constexpr char kWindows[] =
    "; accepted: windows that fit into a square of at most 7x7 with equal padding and a stride of at most 4";

// The layer of a convolution whose window is `square`, without weights.
FloatLayer ConvLayer(const FeatureShape& in, const NodeWindow& window, const SquareWindow& square, int64_t outputs) {
  return {.kind = NodeKind::kConv,
          .in = in,
          .out = {window.rows.outputs(), window.columns.outputs(), outputs},
          .kernel = square.kernel,
          .stride = square.stride,
          .padding = square.padding,
          .scale = std::vector<double>(static_cast<size_t>(outputs), 1),
          .bias = std::vector<double>(static_cast<size_t>(outputs), 0)};
}

// The place of the window's weight (row, column) in its square.
int64_t PlaceIn(const SquareWindow& square, const NodeWindow& window, int64_t row, int64_t column) {
  return (square.first[0] + row * window.rows.dilation) * square.kernel + square.first[1] +
         column * window.columns.dilation;
}

// [out][channels of a group][row][column] as the layer's [out][row][column][channel], with zeros for what an output
// does not read.
void PlaceWeights(const Constant& weights, int64_t groups, const NodeWindow& window, const SquareWindow& square,
                  FloatLayer& made) {
  const int64_t inner = weights.shape[1], outputs = made.out.channels, depth = made.depth();
  const int64_t stored = made.depthwise ? 1 : made.in.channels;
  made.weights.assign(static_cast<size_t>(outputs * depth), 0.0f);
  int64_t from = 0;
  for (int64_t o = 0; o < outputs; ++o) {
    const int64_t first = made.depthwise ? 0 : o / (outputs / groups) * inner;
    for (int64_t c = 0; c < inner; ++c) {
      for (int64_t y = 0; y < window.rows.size; ++y) {
        for (int64_t x = 0; x < window.columns.size; ++x) {
          made.weights[o * depth + PlaceIn(square, window, y, x) * stored + first + c] = weights.floats[from++];
        }
      }
    }
  }
}

absl::Status CheckWeights(const GraphNode& node, const Constant* weights, int64_t groups, int64_t channels) {
  if (weights == nullptr || weights->integer || weights->shape.size() != 4) {
    return Lowering::Refuse(node,
                            "weights that are not a constant of four dimensions; accepted: two-dimensional "
                            "convolutions with constant weights");
  }
  const std::vector<int64_t>& shape = weights->shape;
  if (weights->count() == 0 || groups < 1 || channels % groups != 0 || shape[0] % groups != 0 ||
      shape[1] != channels / groups) {
    return Lowering::Refuse(node, "weights of ", shape[0], " outputs and ", shape[1], " channels in ", groups,
                            " groups for ", channels, " input channels");
  }
  return absl::OkStatus();
}

// A copy of the map with zeros around it, so that the window needs no padding.
absl::StatusOr<FeatureValue> Padded(const GraphNode& node, const FeatureValue& input, NodeWindow& window,
                                    Lowering& state) {
  NodeWindow one = window;
  for (WindowSide* side : {&one.rows, &one.columns}) side->size = side->stride = side->dilation = 1;
  const std::optional<SquareWindow> square = FindSquareWindow(one.rows, one.columns);
  if (!square.has_value()) return Lowering::Refuse(node, "a window or padding that no square one contains", kWindows);
  const FeatureShape& in = input.axes.map();
  FloatLayer made = ConvLayer(in, one, *square, in.channels);
  made.depthwise = in.channels > 1;
  made.relu = state.IsNonNegative(input);
  made.weights.assign(static_cast<size_t>(in.channels * made.depth()), 0.0f);
  for (int64_t c = 0; c < in.channels; ++c) made.weights[c * made.depth() + PlaceIn(*square, one, 0, 0)] = 1;
  for (WindowSide* side : {&window.rows, &window.columns}) {
    side->extent += side->before + side->behind;
    side->before = side->behind = 0;
  }
  state.layers().sparse.push_back(Describe(node));
  const TensorAxes axes = TensorAxes::Map(input.axes.batch(), made.out);
  return state.AppendWeighted(node, input, std::move(made), axes);
}

absl::Status LowerConv(const GraphNode& node, Lowering& state) {
  absl::StatusOr<FeatureValue> input = state.FeatureInput(node, 0);
  if (!input.ok()) return input.status();
  const Constant* weights = state.ConstantInput(node, 1);
  const FeatureShape in = input->axes.map();
  const int64_t groups = node.Integer("group", 1);
  if (absl::Status status = CheckWeights(node, weights, groups, in.channels); !status.ok()) return status;
  absl::StatusOr<NodeWindow> window = WindowOf(node, input->axes, {weights->shape[2], weights->shape[3]});
  if (!window.ok()) return window.status();
  std::optional<SquareWindow> square = FindSquareWindow(window->rows, window->columns);
  if (!square.has_value() && window->padded()) {
    input = Padded(node, *input, *window, state);
    if (!input.ok()) return input.status();
    square = FindSquareWindow(window->rows, window->columns);
  }
  if (!square.has_value()) return Lowering::Refuse(node, "a window that no square one contains", kWindows);

  const int64_t outputs = weights->shape[0];
  FloatLayer made = ConvLayer(input->axes.map(), *window, *square, outputs);
  made.depthwise = groups > 1 && groups == in.channels && outputs == groups;
  if (made.depth() > kMaxLayerWeights / outputs) {
    return Lowering::Refuse(node, made.depth(), " x ", outputs, " weights exceed ", kMaxLayerWeights);
  }
  PlaceWeights(*weights, groups, *window, *square, made);
  if (node.HasInput(2)) {
    const Constant* bias = state.ConstantInput(node, 2);
    if (bias == nullptr || bias->integer || bias->count() != outputs) {
      return Lowering::Refuse(node, "a bias that is not a constant of ", outputs, " values");
    }
    made.bias.assign(bias->floats.begin(), bias->floats.end());
  }
  const bool grouped = groups > 1 && !made.depthwise;
  if (grouped || made.kernel * made.kernel > window->places()) state.layers().sparse.push_back(Describe(node));
  if (grouped) {
    state.layers().notes.push_back(
        absl::StrCat(Describe(node), " has ", groups, " groups; it runs as one convolution of all channels"));
  }
  const TensorAxes axes = TensorAxes::Map(input->axes.batch(), made.out);
  absl::StatusOr<FeatureValue> output = state.AppendWeighted(node, *input, std::move(made), axes);
  if (!output.ok()) return output.status();
  state.Set(node, *std::move(output));
  return absl::OkStatus();
}

absl::Status LowerMaxPool(const GraphNode& node, Lowering& state) {
  absl::StatusOr<FeatureValue> input = state.FeatureInput(node, 0);
  if (!input.ok()) return input.status();
  absl::StatusOr<NodeWindow> window = WindowOf(node, input->axes, {});
  if (!window.ok()) return window.status();
  WindowSide &rows = window->rows, &columns = window->columns;
  if (rows.size != columns.size || rows.stride != columns.stride || rows.dilation != 1 || columns.dilation != 1 ||
      rows.size > 8 || rows.stride > 8) {
    return Lowering::Refuse(node, "a window of ", rows.size, "x", columns.size, " with strides ", rows.stride, " and ",
                            columns.stride, "; accepted: square ones of at most 8x8 and stride 8, not dilated");
  }
  if (rows.size == 1 && rows.stride == 1 && !window->padded()) {
    state.Set(node, *input);
    return absl::OkStatus();
  }
  const bool rising =
      std::all_of(input->affine.scale.begin(), input->affine.scale.end(), [](double s) { return s > 0; });
  if (!rising) input = state.Materialized(node, *input);
  const auto uneven = [](const WindowSide& side, int64_t padding) {
    return side.before != padding || (side.extent + 2 * padding - side.size) / side.stride + 1 != side.outputs();
  };
  const int64_t padding = rows.before;
  if (input.ok() && (uneven(rows, padding) || uneven(columns, padding) || padding > rows.size / 2)) {
    if (!state.IsNonNegative(input->layer)) {
      return Lowering::Refuse(node,
                              "padding that differs between sides or exceeds half of the window, or a last "
                              "window that is not whole; accepted: that only behind a ReLU");
    }
    // Zeros are never the largest there. A scale and a shift may as well follow the pool.
    const ChannelAffine affine = std::exchange(input->affine, {});
    const bool clipped = std::exchange(input->clipped, false);
    input = Padded(node, *input, *window, state);
    if (input.ok()) {
      input->affine = affine;
      input->clipped = clipped;
    }
  }
  if (!input.ok()) return input.status();
  if (rows.size < 2) return Lowering::Refuse(node, "a window of 1x1; accepted: 2x2 to 8x8");
  FloatLayer made{.kind = NodeKind::kMaxPool,
                  .in = input->axes.map(),
                  .out = {rows.outputs(), columns.outputs(), input->axes.map().channels},
                  .kernel = static_cast<int>(rows.size),
                  .stride = static_cast<int>(rows.stride),
                  .padding = static_cast<int>(rows.before)};
  const TensorAxes axes = TensorAxes::Map(input->axes.batch(), made.out);
  absl::StatusOr<FeatureValue> output = state.Append(node, *input, std::move(made), axes);
  if (!output.ok()) return output.status();
  output->affine = input->affine;
  output->clipped = input->clipped;
  state.Set(node, *std::move(output));
  return absl::OkStatus();
}

absl::Status LowerGlobalPool(const GraphNode& node, const FeatureValue& input, const TensorAxes& axes,
                             Lowering& state) {
  if (input.axes.map().height * input.axes.map().width == 1) {
    FeatureValue output = input;
    output.axes = axes;
    state.Set(node, std::move(output));
    return absl::OkStatus();
  }
  FloatLayer made{.kind = NodeKind::kGlobalPool, .in = input.axes.map(), .out = axes.map()};
  absl::StatusOr<FeatureValue> output = state.Append(node, input, std::move(made), axes);
  if (!output.ok()) return output.status();
  output->affine = input.affine;  // the mean of x * scale + shift is that of x, likewise
  output->clipped = input.clipped;
  state.Set(node, *std::move(output));
  return absl::OkStatus();
}

absl::Status LowerMean(const GraphNode& node, const std::vector<int64_t>& reduced, bool keep, Lowering& state) {
  const absl::StatusOr<FeatureValue> input = state.FeatureInput(node, 0);
  if (!input.ok()) return input.status();
  std::vector<bool> marked(input->axes.rank(), false);
  for (const int64_t axis : reduced) {
    const absl::StatusOr<size_t> resolved = ResolveAxis(axis, marked.size());
    if (!resolved.ok()) return Lowering::Refuse(node, resolved.status().message());
    marked[*resolved] = true;
  }
  const absl::StatusOr<TensorAxes> axes = input->axes.WithoutPlaces(marked, keep);
  if (!axes.ok()) return Lowering::Refuse(node, axes.status().message(), "; accepted: over all rows and columns");
  return LowerGlobalPool(node, *input, *axes, state);
}

absl::Status LowerGlobalAveragePool(const GraphNode& node, Lowering& state) {
  return LowerMean(node, {2, 3}, true, state);
}

absl::Status LowerReduceMean(const GraphNode& node, Lowering& state) {
  return LowerMean(node, AxesOf(node, state.ConstantInput(node, 1)), node.Integer("keepdims", 1) != 0, state);
}

absl::Status LowerAveragePool(const GraphNode& node, Lowering& state) {
  const absl::StatusOr<FeatureValue> input = state.FeatureInput(node, 0);
  if (!input.ok()) return input.status();
  const absl::StatusOr<NodeWindow> window = WindowOf(node, input->axes, {});
  if (!window.ok()) return window.status();
  if (window->covers()) return LowerMean(node, {2, 3}, true, state);
  const bool ceil = node.Integer("ceil_mode", 0) != 0;
  if (window->padded() && (node.Integer("count_include_pad", 0) == 0 || ceil)) {
    return Lowering::Refuse(node,
                            "windows at the border with fewer places; accepted: no padding, or "
                            "count_include_pad without ceil_mode");
  }
  const std::optional<SquareWindow> square = FindSquareWindow(window->rows, window->columns);
  if (!square.has_value()) return Lowering::Refuse(node, "a window that no square one contains", kWindows);
  const FeatureShape& in = input->axes.map();
  FloatLayer made = ConvLayer(in, *window, *square, in.channels);
  made.depthwise = in.channels > 1;
  made.relu = state.IsNonNegative(*input);
  made.scale.assign(made.scale.size(), 1.0 / static_cast<double>(window->places()));
  made.weights.assign(static_cast<size_t>(in.channels * made.depth()), 0.0f);
  for (int64_t c = 0; c < in.channels; ++c) {
    for (int64_t y = 0; y < window->rows.size; ++y) {
      for (int64_t x = 0; x < window->columns.size; ++x) {
        made.weights[c * made.depth() + PlaceIn(*square, *window, y, x)] = 1;
      }
    }
  }
  if (made.kernel * made.kernel > window->places()) state.layers().sparse.push_back(Describe(node));
  const TensorAxes axes = TensorAxes::Map(input->axes.batch(), made.out);
  absl::StatusOr<FeatureValue> output = state.AppendWeighted(node, *input, std::move(made), axes);
  if (!output.ok()) return output.status();
  state.Set(node, *std::move(output));
  return absl::OkStatus();
}

}  // namespace

void AddWindowOperators(OperatorTable& table) {
  table["AveragePool"] = LowerAveragePool;
  table["Conv"] = LowerConv;
  table["GlobalAveragePool"] = LowerGlobalAveragePool;
  table["MaxPool"] = LowerMaxPool;
  table["ReduceMean"] = LowerReduceMean;
}

}  // namespace anybit::model
