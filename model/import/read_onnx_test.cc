#include "model/import/read_onnx.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "model/import/onnx_structure.h"
#include "model/import/testing/onnx_builder.h"

namespace anybit::model {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// y = relu(x + w), for tests that damage it.
OnnxBuilder SmallModel(int opset = 13) {
  OnnxBuilder model(opset);
  model.Input("x", {1, 2});
  model.Floats("w", {2}, {1, 2});
  model.Node("Add", {"x", "w"}, "sum");
  model.Node("Relu", {"sum"}, "y");
  model.Output("y");
  return model;
}

std::string Error(const OnnxBuilder& model, const std::string& folder = "") {
  return std::string(ParseOnnx(model.Text(), folder).status().message());
}

TEST(ReadOnnx, GivesNodesAndConstants) {
  const absl::StatusOr<FloatGraph> graph = ParseOnnx(SmallModel().Text(), "");
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_EQ(graph->opset, 13);
  EXPECT_EQ(graph->input.shape, (std::vector<int64_t>{1, 2}));
  ASSERT_EQ(graph->nodes.size(), 2u);
  EXPECT_EQ(graph->nodes[1].op, "Relu");
  EXPECT_EQ(graph->constants.at("w")->floats, (std::vector<float>{1, 2}));
}

TEST(ReadOnnx, SortsNodesAndLeavesOutThoseThatNothingNeeds) {
  OnnxBuilder model;
  model.Input("x", {1, 2});
  model.Node("Relu", {"sum"}, "y");
  model.Node("Relu", {"x"}, "sum");
  model.Node("Sqrt", {"x"}, "unneeded");
  model.Output("y");
  const absl::StatusOr<FloatGraph> graph = ParseOnnx(model.Text(), "");
  ASSERT_TRUE(graph.ok()) << graph.status();
  ASSERT_EQ(graph->nodes.size(), 2u);
  EXPECT_EQ(graph->nodes[0].name, "sum");
  EXPECT_EQ(graph->nodes[1].name, "y");
}

TEST(ReadOnnx, ReadsAllFloatsAndWholeNumbers) {
  OnnxBuilder model = SmallModel();
  onnx::TensorProto& tensor = *model.proto().mutable_graph()->mutable_initializer(0);
  tensor.clear_float_data();
  tensor.set_data_type(onnx::TensorProto::FLOAT16);
  tensor.set_raw_data(std::string("\x00\x3c\x00\xc0", 4));  // 1 and -2
  EXPECT_EQ(ParseOnnx(model.Text(), "")->constants.at("w")->floats, (std::vector<float>{1, -2}));
  tensor.set_data_type(onnx::TensorProto::BFLOAT16);
  tensor.set_raw_data(std::string("\x80\x3f\x00\xc0", 4));
  EXPECT_EQ(ParseOnnx(model.Text(), "")->constants.at("w")->floats, (std::vector<float>{1, -2}));
  tensor.clear_raw_data();
  tensor.set_data_type(onnx::TensorProto::DOUBLE);
  tensor.add_double_data(1);
  tensor.add_double_data(-2);
  EXPECT_EQ(ParseOnnx(model.Text(), "")->constants.at("w")->floats, (std::vector<float>{1, -2}));
  tensor.clear_double_data();
  tensor.set_data_type(onnx::TensorProto::INT8);
  tensor.set_raw_data("\x01\xfe");
  EXPECT_EQ(ParseOnnx(model.Text(), "")->constants.at("w")->integers, (std::vector<int64_t>{1, -2}));
}

TEST(ReadOnnx, RefusesEveryPartOfAFile) {
  const std::string text = SmallModel().Text();
  for (size_t size = 0; size < text.size(); ++size) {
    EXPECT_FALSE(ParseOnnx(text.substr(0, size), "").ok()) << size << " of " << text.size() << " bytes";
  }
}

TEST(ReadOnnx, RefusesOtherOpsets) {
  EXPECT_EQ(Error(SmallModel(6)), "opset 6 is outside 7..21");
  EXPECT_EQ(Error(SmallModel(22)), "opset 22 is outside 7..21");
  EXPECT_TRUE(ParseOnnx(SmallModel(7).Text(), "").ok());
  EXPECT_TRUE(ParseOnnx(SmallModel(21).Text(), "").ok());
  EXPECT_EQ(std::string(ParseOnnx("", "").status().message()),
            "no ONNX model, or one without an opset of ONNX's own operators");
}

TEST(ReadOnnx, RefusesCyclesAndValuesOfNoNode) {
  OnnxBuilder cycle;
  cycle.Input("x", {1, 2});
  cycle.Node("Add", {"x", "c"}, "a");
  cycle.Node("Relu", {"a"}, "b");
  cycle.Node("Relu", {"b"}, "c");
  cycle.Output("c");
  EXPECT_EQ(Error(cycle), "node 'c' (Relu): the nodes behind it read each other in a cycle");
  OnnxBuilder missing = SmallModel();
  missing.proto().mutable_graph()->mutable_node(0)->set_input(0, "z");
  EXPECT_EQ(Error(missing), "node 'sum' (Add) reads 'z', which nothing computes");
  OnnxBuilder twice = SmallModel();
  twice.Node("Relu", {"x"}, "sum");
  EXPECT_EQ(Error(twice), "node 'sum' (Relu): its output 'sum' is also that of another node");
}

TEST(ReadOnnx, ReadsALongChainWithoutRecursion) {
  OnnxBuilder model;
  model.Input("v0", {1, 2});
  for (int i = 0; i < 60000; ++i) model.Node("Relu", {"v" + std::to_string(i)}, "v" + std::to_string(i + 1));
  model.Output("v60000");
  const absl::StatusOr<FloatGraph> graph = ParseOnnx(model.Text(), "");
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_EQ(graph->nodes.size(), 60000u);
}

TEST(ReadOnnx, RefusesTensorsWhoseSizeDisagrees) {
  OnnxBuilder model = SmallModel();
  onnx::TensorProto& tensor = *model.proto().mutable_graph()->mutable_initializer(0);
  tensor.set_dims(0, 3);
  EXPECT_EQ(Error(model), "tensor 'w': 2 values for 3 elements");
  tensor.set_raw_data("abcde");
  EXPECT_EQ(Error(model), "tensor 'w': 5 bytes for 3 elements of 4 bytes");
  tensor.set_dims(0, -1);
  EXPECT_EQ(Error(model), "tensor 'w': dimension -1 is below 0");
  tensor.set_dims(0, 1);
  tensor.set_data_type(onnx::TensorProto::STRING);
  EXPECT_THAT(Error(model), HasSubstr("tensor 'w': elements of type 8; accepted: float"));
}

// 2 GiB of floats, and sizes beyond 64 bits: nothing is allocated for either.
TEST(ReadOnnx, RefusesHugeTensorsBeforeTakingMemory) {
  OnnxBuilder model = SmallModel();
  onnx::TensorProto& tensor = *model.proto().mutable_graph()->mutable_initializer(0);
  tensor.set_dims(0, int64_t{1} << 29);
  EXPECT_EQ(Error(model), "tensor 'w': more than 268435456 elements");
  tensor.set_dims(0, INT64_MAX);
  tensor.add_dims(INT64_MAX);
  EXPECT_EQ(Error(model), "tensor 'w': more than 268435456 elements");
  tensor.set_dims(0, 0);
  tensor.clear_float_data();
  EXPECT_EQ(Error(model), "tensor 'w': more than 268435456 elements");
}

TEST(ReadOnnx, RefusesManySmallMessages) {
  OnnxBuilder model = SmallModel();
  std::string text = model.Text();
  // Field 7 of the model, the graph, with nine million empty nodes (field 1).
  std::string nodes;
  for (int i = 0; i < 9 << 20; ++i) nodes += std::string("\x0a\x00", 2);
  std::string length;
  for (size_t rest = nodes.size(); rest > 0; rest >>= 7) {
    length.push_back(static_cast<char>((rest & 127) | (rest > 127 ? 128 : 0)));
  }
  text += "\x3a" + length + nodes;
  EXPECT_THAT(std::string(ParseOnnx(text, "").status().message()),
              HasSubstr("the graph without the values of its initializers has"));
}

TEST(ReadOnnx, RefusesGraphsWithOtherInputs) {
  OnnxBuilder two = SmallModel();
  two.Input("z", {1, 2});
  EXPECT_EQ(Error(two), "the graph has 2 inputs, expected 1");
  OnnxBuilder text = SmallModel();
  text.proto().mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type()->set_elem_type(
      onnx::TensorProto::STRING);
  EXPECT_EQ(Error(text), "input 'x' is no tensor of floats or uint8");
}

class ExternalData : public testing::Test {
 protected:
  ExternalData() {
    fs::remove_all(folder_);
    fs::create_directories(folder_ / "model" / "inside");
    for (const char* file : {"model/weights", "model/inside/weights", "secret"}) {
      std::ofstream(folder_ / file, std::ios::binary) << std::string("\0\0\0\0\0\0\x80\x3f\0\0\0\x40", 12);
    }
    fs::create_symlink("../secret", folder_ / "model" / "link");
  }

  absl::StatusOr<FloatGraph> ReadWith(const std::string& location, const std::string& offset) {
    OnnxBuilder model = SmallModel();
    onnx::TensorProto& tensor = *model.proto().mutable_graph()->mutable_initializer(0);
    tensor.clear_float_data();
    tensor.set_data_location(onnx::TensorProto::EXTERNAL);
    for (const auto& [key, value] : {std::pair("location", location), std::pair("offset", offset)}) {
      auto& entry = *tensor.add_external_data();
      entry.set_key(key);
      entry.set_value(value);
    }
    std::ofstream(folder_ / "model" / "m.onnx", std::ios::binary) << model.Text();
    return ReadOnnx(folder_ / "model" / "m.onnx");
  }

  const fs::path folder_ = fs::path(testing::TempDir()) / "external_data";
};

TEST_F(ExternalData, AreReadFromTheModelsFolder) {
  for (const char* location : {"weights", "inside/weights", "./weights"}) {
    const absl::StatusOr<FloatGraph> graph = ReadWith(location, "4");
    ASSERT_TRUE(graph.ok()) << graph.status();
    EXPECT_EQ(graph->constants.at("w")->floats, (std::vector<float>{1, 2}));
  }
}

TEST_F(ExternalData, OutsideTheFolderOrBeyondTheFileAreRefused) {
  const auto error = [&](const std::string& location, const std::string& offset) {
    return std::string(ReadWith(location, offset).status().message());
  };
  for (const char* location : {"../secret", "inside/../../secret", "/etc/passwd", ""}) {
    EXPECT_THAT(error(location, "0"), HasSubstr("not a path inside the model's folder")) << location;
  }
  EXPECT_THAT(error("link", "0"), HasSubstr("a link that leaves the model's folder"));
  EXPECT_THAT(error("inside", "0"), HasSubstr("not a file"));
  EXPECT_THAT(error("missing", "0"), HasSubstr("No such file"));
  EXPECT_THAT(error("weights", "8"), HasSubstr("8 bytes from 8 are not inside its 12 bytes"));
  EXPECT_THAT(error("weights", "-1"), HasSubstr("8 bytes from -1 are not inside"));
  EXPECT_THAT(error("weights", "9223372036854775807"), HasSubstr("are not inside its 12 bytes"));
  EXPECT_THAT(error("weights", "many"), HasSubstr("external offset 'many' is not a whole number"));
}

TEST_F(ExternalData, AreNoneOfATextWithoutAFolder) {
  (void)ReadWith("weights", "0");
  std::ifstream stream(folder_ / "model" / "m.onnx", std::ios::binary);
  const std::string text(std::istreambuf_iterator<char>(stream), {});
  EXPECT_THAT(std::string(ParseOnnx(text, "").status().message()), HasSubstr("no folder"));
}

}  // namespace
}  // namespace anybit::model
