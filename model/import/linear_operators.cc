// Products with constant matrices.
#include <utility>
#include <vector>

#include "model/import/operators.h"

namespace anybit::model {
namespace {

constexpr int64_t kMaxLayerWeights = int64_t{1} << 28;

// A matrix as [inputs][outputs], or the other way round where `transposed`, times `factor`.
struct Matrix {
  const Constant* values;
  bool transposed;
  float factor;

  int64_t inputs() const { return values->shape[transposed ? 1 : 0]; }
  int64_t outputs() const { return values->shape[transposed ? 0 : 1]; }
  float At(int64_t input, int64_t output) const {
    return factor * values->floats[transposed ? output * inputs() + input : input * outputs() + output];
  }
};

absl::StatusOr<FeatureValue> Product(const GraphNode& node, const Matrix& matrix, Lowering& state) {
  const absl::StatusOr<FeatureValue> input = state.FeatureInput(node, 0);
  if (!input.ok()) return input.status();
  if (matrix.values == nullptr || matrix.values->integer || matrix.values->shape.size() != 2 ||
      matrix.values->count() == 0) {
    return Lowering::Refuse(node, "its second operand is not a constant matrix; accepted: that");
  }
  if (!input->axes.IsFlat()) {
    return Lowering::Refuse(node, "its input has ", input->axes.rank(), " dimensions; accepted: [batch, features]");
  }
  const std::vector<int64_t> places = input->axes.Places();
  const int64_t depth = matrix.inputs(), outputs = matrix.outputs();
  if (depth != static_cast<int64_t>(places.size())) {
    return Lowering::Refuse(node, "a matrix of ", depth, " inputs for ", places.size(), " features");
  }
  if (depth > kMaxLayerWeights / outputs) {
    return Lowering::Refuse(node, depth, " x ", outputs, " weights exceed ", kMaxLayerWeights);
  }
  FloatLayer made{.kind = NodeKind::kLinear,
                  .in = input->axes.map(),
                  .out = {1, 1, outputs},
                  .weights = std::vector<float>(static_cast<size_t>(depth * outputs)),
                  .scale = std::vector<double>(static_cast<size_t>(outputs), 1),
                  .bias = std::vector<double>(static_cast<size_t>(outputs), 0)};
  for (int64_t o = 0; o < outputs; ++o) {
    for (int64_t i = 0; i < depth; ++i) made.weights[o * depth + places[i]] = matrix.At(i, o);
  }
  return state.AppendWeighted(node, *input, std::move(made), TensorAxes::Vector(input->axes.batch(), outputs));
}

absl::Status LowerGemm(const GraphNode& node, Lowering& state) {
  if (node.Integer("transA", 0) != 0) return Lowering::Refuse(node, "transA; accepted: [batch, features]");
  const Matrix matrix{.values = state.ConstantInput(node, 1),
                      .transposed = node.Integer("transB", 0) != 0,
                      .factor = node.Number("alpha", 1)};
  absl::StatusOr<FeatureValue> output = Product(node, matrix, state);
  if (!output.ok()) return output.status();
  if (node.HasInput(2)) {
    const Constant* bias = state.ConstantInput(node, 2);
    const int64_t outputs = output->axes.map().channels;
    if (bias == nullptr || bias->integer || (bias->count() != 1 && bias->count() != outputs) ||
        (bias->count() > 1 && bias->shape.back() != outputs)) {
      return Lowering::Refuse(node, "a bias that is not a constant of 1 or ", outputs, " values");
    }
    FloatLayer& layer = state.layer(*output);
    for (int64_t o = 0; o < outputs; ++o) {
      layer.bias[o] += double{node.Number("beta", 1)} * bias->floats[bias->count() == 1 ? 0 : o];
    }
  }
  state.Set(node, *std::move(output));
  return absl::OkStatus();
}

absl::Status LowerMatMul(const GraphNode& node, Lowering& state) {
  absl::StatusOr<FeatureValue> output =
      Product(node, {.values = state.ConstantInput(node, 1), .transposed = false, .factor = 1}, state);
  if (!output.ok()) return output.status();
  state.Set(node, *std::move(output));
  return absl::OkStatus();
}

}  // namespace

void AddLinearOperators(OperatorTable& table) {
  table["Gemm"] = LowerGemm;
  table["MatMul"] = LowerMatMul;
}

}  // namespace anybit::model
