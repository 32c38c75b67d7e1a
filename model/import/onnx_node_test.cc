// ONNX's own tests of its operators (Debian's libonnx-testdata), at the fp32 point: every case of a supported operator
// gives the expected values or is refused for the reason below. None gives others.
#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "model/import/import_onnx.h"
#include "model/import/lower_graph.h"
#include "model/import/onnx_tensor.h"
#include "model/import/testing/float_run.h"
#include "model/import/testing/onnx_builder.h"

namespace anybit::model {
namespace {

namespace fs = std::filesystem;

constexpr char kFolder[] = "/usr/share/libonnx-testdata/data/node";

// Activations are left out at the end of a network (docs/import.md), and shapes are constants: there is nothing to run.
const std::vector<std::string> kNothingToRun = {"LogSoftmax", "Shape", "Sigmoid", "Softmax"};

// The network's input are codes, which are not negative: they stand for values from -kOffset on.
constexpr double kOffset = 8;

template <typename Message>
bool Read(const fs::path& path, Message& message) {
  std::ifstream stream(path, std::ios::binary);
  return stream && message.ParseFromIstream(&stream);
}

struct Case {
  std::string name;
  onnx::ModelProto model;
  std::vector<onnx::TensorProto> inputs;
  Constant output;
  double tolerance = 0;  // relative to the largest value
};

// Elements of one row, and rows: the first dimension where there are two or four, else one row of it all.
struct Rows {
  int64_t rows = 1, elements = 1;
};

Rows RowsOf(const std::vector<int64_t>& shape) {
  Rows rows;
  const bool batched = shape.size() == 2 || shape.size() == 4;
  for (size_t i = 0; i < shape.size(); ++i) (batched && i == 0 ? rows.rows : rows.elements) *= shape[i];
  return rows;
}

std::vector<Case> Cases() {
  const std::vector<std::string> supported = SupportedOperators();
  std::vector<Case> cases;
  for (const auto& entry : fs::directory_iterator(kFolder)) {
    Case test{.name = entry.path().filename().string()};
    if (!Read(entry.path() / "model.onnx", test.model) || test.model.graph().node_size() != 1) continue;
    const std::string& op = test.model.graph().node(0).op_type();
    if (std::find(supported.begin(), supported.end(), op) == supported.end()) continue;
    if (std::find(kNothingToRun.begin(), kNothingToRun.end(), op) != kNothingToRun.end()) continue;
    const fs::path data = entry.path() / "test_data_set_0";
    for (int i = 0; i < test.model.graph().input_size(); ++i) {
      onnx::TensorProto tensor;
      if (Read(data / absl::StrCat("input_", i, ".pb"), tensor)) test.inputs.push_back(tensor);
    }
    onnx::TensorProto expected;
    if (!Read(data / "output_0.pb", expected)) continue;
    const absl::StatusOr<Constant> output = ReadTensor(expected, "");
    if (!output.ok() || static_cast<int>(test.inputs.size()) != test.model.graph().input_size()) continue;
    test.output = *output;
    // Values of 16 bits are kept with 32.
    test.tolerance = expected.data_type() == onnx::TensorProto::FLOAT16 ? 1e-3 : 1e-5;
    cases.push_back(std::move(test));
  }
  std::sort(cases.begin(), cases.end(), [](const Case& a, const Case& b) { return a.name < b.name; });
  return cases;
}

// Convolutions that take the first and the second half of the channels of "both".
void AddHalves(const std::vector<int64_t>& shape, const std::string& first, const std::string& second,
               OnnxBuilder& network) {
  const int64_t channels = shape[1];
  for (const int64_t half : {0, 1}) {
    std::vector<float> weights(static_cast<size_t>(2 * channels * channels), 0.0f);
    for (int64_t c = 0; c < channels; ++c) weights[c * 2 * channels + half * channels + c] = 1;
    const std::string name = absl::StrCat("half", half);
    network.Floats(name, {channels, 2 * channels, 1, 1}, weights);
    network.Node("Conv", {"both", name}, half == 0 ? first : second);
  }
}

// The case's node, with all inputs but the first constant, or with both computed; then `sign`, a ReLU, and a linear
// layer of weights 1, as a network ends.
std::string NetworkOf(const Case& test, bool both, float sign) {
  const onnx::GraphProto& graph = test.model.graph();
  // The operators of older models are the same.
  OnnxBuilder network(std::max(7, static_cast<int>(test.model.opset_import(0).version())));
  std::vector<int64_t> shape(test.inputs[0].dims().begin(), test.inputs[0].dims().end());
  // A row is a map or a vector.
  if (shape.size() == 1 || shape.size() == 3) shape.insert(shape.begin(), 1);
  const int type = test.inputs[0].data_type();
  if (both) {
    if (shape.size() == 2) shape.insert(shape.end(), {1, 1});
    std::vector<int64_t> doubled = shape;
    doubled[1] *= 2;
    network.Input("both", doubled, type);
    AddHalves(shape, graph.input(0).name(), graph.input(1).name(), network);
  } else {
    network.Input(graph.input(0).name(), shape, type);
    for (size_t i = 1; i < test.inputs.size(); ++i) {
      onnx::TensorProto& constant = *network.proto().mutable_graph()->add_initializer();
      constant = test.inputs[i];
      constant.set_name(graph.input(static_cast<int>(i)).name());
    }
  }
  *network.proto().mutable_graph()->add_node() = graph.node(0);
  // Cases with more values have more dimensions than a map, and are refused before.
  const int64_t size = std::min<int64_t>(4096, RowsOf(test.output.shape).elements);
  std::vector<float> identity(static_cast<size_t>(size * size), 0.0f);
  for (int64_t i = 0; i < size; ++i) identity[i * size + i] = 1;
  network.Floats("sign", {}, {sign});
  network.Floats("identity", {size, size}, identity);
  network.Node("Mul", {graph.node(0).output(0), "sign"}, "signed");
  network.Node("Relu", {"signed"}, "rectified");
  network.Node("Flatten", {"rectified"}, "flat");
  network.Node("MatMul", {"flat", "identity"}, "network_output");
  network.Output("network_output");
  return network.Text();
}

// One row of the inputs in NHWC order, plus `offset`.
std::vector<double> RowOf(const Case& test, bool both, int64_t row, double offset, const Artifact& artifact) {
  const auto& shape = artifact.spec.input().shape();
  const int64_t area = shape.Get(0) * shape.Get(1), channels = shape.Get(2), parts = both ? 2 : 1;
  std::vector<double> values(static_cast<size_t>(area * channels));
  for (int64_t part = 0; part < parts; ++part) {
    const Constant input = *ReadTensor(test.inputs[part], "");
    const int64_t of_part = channels / parts;
    for (int64_t c = 0; c < of_part; ++c) {
      for (int64_t i = 0; i < area; ++i) {
        values[i * channels + part * of_part + c] = input.AsFloat((row * of_part + c) * area + i) + offset;
      }
    }
  }
  return values;
}

// The logits of one row of the case, in the values that its node gets, plus `offset`.
std::vector<double> Run(const Case& test, bool both, int64_t row, double offset, const Artifact& artifact) {
  std::vector<double> values = RowOf(test, both, row, offset, artifact);
  if (test.model.graph().node(0).op_type() != "AveragePool") return FloatRun(artifact, values);
  // Codes are not negative, and padding is 0 only without an offset. A mean of differences is that of the means.
  std::vector<double> negative = values;
  for (double& value : values) value = std::max(0.0, value);
  for (double& value : negative) value = std::max(0.0, -value);
  std::vector<double> means = FloatRun(artifact, values);
  const std::vector<double> subtracted = FloatRun(artifact, negative);
  for (size_t i = 0; i < means.size(); ++i) means[i] -= subtracted[i];
  return means;
}

// Empty where the case gives the expected values, else why it is refused.
std::string Refusal(const Case& test, bool both) {
  const std::string& op = test.model.graph().node(0).op_type();
  const bool codes = test.inputs[0].data_type() == onnx::TensorProto::UINT8;
  const double offset = codes || op == "Conv" || op == "AveragePool" ? 0 : kOffset;
  ImportOptions plain;
  if (!codes) plain.scaling = {.mean = {static_cast<float>(offset / 255)}, .deviation = {1.0f / 255}};
  float largest = 0;
  for (int64_t i = 0; i < test.output.count(); ++i) largest = std::max(largest, std::fabs(test.output.AsFloat(i)));
  for (const float sign : {1.0f, -1.0f}) {
    if (op == "AveragePool" && sign < 0) continue;
    const absl::StatusOr<ImportedNetwork> network = ImportOnnxText(NetworkOf(test, both, sign), plain);
    if (!network.ok()) return std::string(network.status().message());
    const Rows rows = RowsOf(test.output.shape);
    for (int64_t row = 0; row < rows.rows; ++row) {
      const std::vector<double> logits = Run(test, both, row, offset, network->artifact);
      EXPECT_EQ(static_cast<int64_t>(logits.size()), rows.elements) << test.name;
      double difference = 0;
      for (int64_t i = 0; i < rows.elements && i < static_cast<int64_t>(logits.size()); ++i) {
        const double value = test.output.AsFloat(row * rows.elements + i);
        const double expected = op == "AveragePool" ? value : std::max(0.0, sign * value);
        difference = std::max(difference, std::fabs(logits[i] - expected));
      }
      EXPECT_LE(difference, test.tolerance * largest) << test.name << ", row " << row;
    }
  }
  return "";
}

bool HasTwoOperands(const Case& test) {
  const std::string& op = test.model.graph().node(0).op_type();
  const bool takes_two = op == "Add" || op == "Sub" || (op == "Concat" && test.inputs[0].dims_size() == 2);
  return takes_two && test.inputs.size() == 2 &&
         std::equal(test.inputs[0].dims().begin(), test.inputs[0].dims().end(), test.inputs[1].dims().begin(),
                    test.inputs[1].dims().end());
}

// Cases that are refused, and a part of the message. What fails here and is not a case of one image network: several
// kinds of tensors in one, batches that are taken apart, training.
struct Refused {
  std::vector<std::string> cases;
  std::string reason;
};

const std::vector<Refused>& RefusedCases() {
  static const auto& refused = *new std::vector<Refused>{
      {{"concat_1d_axis_0", "concat_2d_axis_0", "concat_2d_axis_negative_1", "concat_2d_axis_negative_2",
        "concat_3d_axis_0", "concat_3d_axis_2", "concat_3d_axis_negative_1", "concat_3d_axis_negative_2"},
       "not of channels"},
      {{"concat_1d_axis_negative_1", "concat_3d_axis_1", "concat_3d_axis_negative_3"},
       "is not computed from the network's input"},
      {{"add_bcast", "div", "div_bcast", "div_uint8", "mul", "mul_bcast", "mul_uint8", "sub_bcast"},
       "a constant that is not one number"},
      {{"averagepool_1d_default", "maxpool_1d_default"}, "two-dimensional"},
      {{"averagepool_2d_ceil", "averagepool_2d_pads", "averagepool_2d_precomputed_pads",
        "averagepool_2d_precomputed_same_upper", "averagepool_2d_same_lower", "averagepool_2d_same_upper"},
       "windows at the border with fewer places"},
      {{"averagepool_3d_default", "maxpool_3d_default"}, "has 5 dimensions"},
      {{"batchnorm_epsilon_training_mode", "batchnorm_example_training_mode", "training_dropout",
        "training_dropout_default", "training_dropout_default_mask", "training_dropout_mask",
        "training_dropout_zero_ratio", "training_dropout_zero_ratio_mask"},
       "training mode"},
      {{"cast_BFLOAT16_to_FLOAT", "cast_STRING_to_FLOAT", "castlike_BFLOAT16_to_FLOAT_expanded",
        "castlike_STRING_to_FLOAT_expanded", "clip_default_int8_inbounds", "clip_default_int8_max",
        "clip_default_int8_min"},
       "is no tensor of floats or uint8"},

      {{"conv_with_strides_and_asymmetric_padding"}, "no square one contains"},
      {{"flatten_axis0", "flatten_axis2", "flatten_axis3", "flatten_negative_axis1", "flatten_negative_axis2",
        "flatten_negative_axis4", "reshape_one_dim", "reshape_reduced_dims", "squeeze", "transpose_default"},
       "accepted: [batch, features]"},
      {{"gemm_all_attributes", "gemm_transposeA"}, "transA"},
      {{"gemm_default_matrix_bias"}, "a bias that is not a constant"},
      {{"matmul_3d", "matmul_4d"}, "its second operand is not a constant matrix"},
      {{"maxpool_2d_dilations"}, "not dilated"},
      {{"reduce_mean_default_axes_keepdims_example", "reduce_mean_default_axes_keepdims_random",
        "reduce_mean_negative_axes_keepdims_example", "reduce_mean_negative_axes_keepdims_random"},
       "a mean over a part of the map"},
      {{"reduce_mean_do_not_keepdims_example", "reduce_mean_do_not_keepdims_random", "reduce_mean_keepdims_example",
        "reduce_mean_keepdims_random"},
       "a mean over channels or the batch"},
      {{"reshape_allowzero_reordered"}, "dimension 1 is 0"},
      {{"gather_0", "gather_2d_indices", "slice_default_axes", "slice_default_steps", "slice_neg_steps",
        "slice_negative_axes", "slice_start_out_of_bounds"},
       "of other dimensions than the channels"},
      {{"gather_negative_indices"}, "index -9"},
      {{"slice", "slice_end_out_of_bounds", "slice_neg"}, "a matrix of"},
      {{"split_equal_parts_1d", "split_equal_parts_default_axis", "split_variable_parts_1d",
        "split_variable_parts_default_axis"},
       "not of channels"},
      {{"split_zero_size_splits"}, "dimension 1 is 0"},
      {{"reshape_extended_dims", "reshape_negative_dim"}, "accepted: [batch, features]"},
      {{"reshape_reordered_all_dims", "reshape_reordered_last_dims", "reshape_zero_and_negative_dim"},
       "splits a dimension"},
      {{"reshape_zero_dim"}, "a reshape of [1,2,3,4] to [2,0,4,1]"},
      {{"transpose_all_permutations_0", "transpose_all_permutations_1", "transpose_all_permutations_2",
        "transpose_all_permutations_3", "transpose_all_permutations_4", "transpose_all_permutations_5"},
       "of 4 dimensions"},
      {{"unsqueeze_axis_1", "unsqueeze_axis_2", "unsqueeze_axis_3"}, "features"},
  };
  return refused;
}

TEST(OnnxNodeTests, EveryCaseGivesTheExpectedValuesOrIsRefused) {
  std::map<std::string, std::string> reasons;
  for (const Refused& refused : RefusedCases()) {
    for (const std::string& name : refused.cases) reasons["test_" + name] = refused.reason;
  }
  int passed = 0;
  for (const Case& test : Cases()) {
    const std::string refusal = Refusal(test, HasTwoOperands(test));
    const auto found = reasons.find(test.name);
    if (refusal.empty()) {
      ++passed;
      EXPECT_TRUE(found == reasons.end()) << test.name << " is not refused";
    } else {
      EXPECT_TRUE(found != reasons.end() && absl::StrContains(refusal, found->second)) << test.name << ": " << refusal;
    }
    if (found != reasons.end()) reasons.erase(found);
  }
  EXPECT_EQ(passed, 98);
  for (const auto& [name, reason] : reasons) ADD_FAILURE() << "there is no case " << name;
}

}  // namespace
}  // namespace anybit::model
