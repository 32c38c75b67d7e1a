// Functions of one value become activations of convolutions.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "model/import/import_onnx.h"
#include "model/import/testing/onnx_builder.h"
#include "model/import/testing/small_model.h"

namespace anybit::model {
namespace {

using testing::ElementsAre;

// MobileNetV2's block: ReLU6, a depthwise convolution with padding, ReLU6, a linear 1x1 convolution.
TEST(ImportActivations, MakesAClipFromZeroAnActivation) {
  SmallModel model;
  model.builder.Floats("zero", {}, {0});
  model.builder.Floats("six", {}, {0.125f});
  model.Conv("x", "expand", {6, 3, 1, 1}, {0, 0, 0, 0});
  model.builder.Node("Clip", {"expand", "zero", "six"}, "a");
  SetInteger(model.Conv("a", "depthwise", {6, 1, 3, 3}), "group", 6);
  model.builder.Node("Clip", {"depthwise", "zero", "six"}, "b");
  model.Conv("b", "project", {4, 6, 1, 1}, {0, 0, 0, 0});
  model.builder.Node("Relu", {"project"}, "end");
  model.Head("end", 4);
  const absl::StatusOr<ImportedNetwork> network = model.Import();
  ASSERT_TRUE(network.ok()) << network.status();
  EXPECT_THAT(ShortNodes(network->artifact), ElementsAre("conv clip", "depthwise clip", "conv relu", "mean", "linear"));
}

TEST(ImportActivations, ComposesAClipThatDoesNotBeginAtZero) {
  SmallModel model;
  model.builder.Floats("least", {}, {-0.125f});
  model.builder.Floats("most", {}, {0.125f});
  model.Conv("x", "conv", {6, 3, 1, 1}, {0, 0, 0, 0});
  model.builder.Node("Clip", {"conv", "least", "most"}, "clip");
  model.Head("clip", 6);
  const absl::StatusOr<ImportedNetwork> network = model.Import();
  ASSERT_TRUE(network.ok()) << network.status();
  EXPECT_THAT(ShortNodes(network->artifact), ElementsAre("conv relu", "depthwise relu", "mean", "linear"));
}

TEST(ImportActivations, PutsFunctionsOfOneValueIntoTheirConvolution) {
  for (const char* op :
       {"Elu", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Mish", "Sigmoid", "Softplus", "Tanh"}) {
    SmallModel model;
    model.Conv("x", "conv", {4, 3, 3, 3});
    model.builder.Node(op, {"conv"}, "a");
    model.Conv("a", "next", {4, 4, 3, 3});
    model.builder.Node("Relu", {"next"}, "relu");
    model.builder.Node(op, {"relu"}, "b");  // behind a ReLU it needs a layer of its own
    model.Head("b", 4);
    const absl::StatusOr<ImportedNetwork> network = model.Import();
    ASSERT_TRUE(network.ok()) << network.status();
    const std::vector<std::string> nodes = ShortNodes(network->artifact);
    ASSERT_EQ(nodes.size(), 5u) << op;
    EXPECT_THAT(nodes[0], testing::StartsWith("conv "));
    EXPECT_EQ(nodes[1], "conv relu");
    EXPECT_EQ(nodes[2], "depthwise " + nodes[0].substr(5));
  }
}

// Functions as exporters write them in parts, of a convolution's output "c".
std::vector<std::string> NodesOf(const std::function<void(OnnxBuilder&)>& add) {
  SmallModel model;
  for (const auto& [name, value] : {std::pair("zero", 0.0f), std::pair("half", 0.5f), std::pair("one", 1.0f),
                                    std::pair("root", std::sqrt(2.0f)), std::pair("root_of_half", std::sqrt(0.5f)),
                                    std::pair("three", 3.0f), std::pair("six", 6.0f), std::pair("sixth", 1.0f / 6)}) {
    model.builder.Floats(name, {}, {value});
  }
  model.Conv("x", "c", {4, 3, 3, 3});
  add(model.builder);
  model.Head("y", 4);
  const absl::StatusOr<ImportedNetwork> network = model.Import();
  EXPECT_TRUE(network.ok()) << network.status();
  return network.ok() ? ShortNodes(network->artifact) : std::vector<std::string>();
}

TEST(ImportActivations, FusesFunctionsThatExportersWriteInParts) {
  EXPECT_THAT(NodesOf([](auto& onnx) {
                onnx.Node("Sigmoid", {"c"}, "s");
                onnx.Node("Mul", {"c", "s"}, "y");
              }),
              ElementsAre("conv silu", "mean", "linear"));
  EXPECT_THAT(NodesOf([](auto& onnx) {
                onnx.Node("Add", {"c", "three"}, "a");
                onnx.Node("Clip", {"a", "zero", "six"}, "b");
                onnx.Node("Mul", {"c", "b"}, "p");
                onnx.Node("Div", {"p", "six"}, "y");
              }),
              ElementsAre("conv hard_swish", "mean", "linear"));
  EXPECT_THAT(NodesOf([](auto& onnx) {
                SetFloat(onnx.Node("HardSigmoid", {"c"}, "s"), "alpha", 1.0f / 6);
                onnx.Node("Mul", {"s", "c"}, "y");
              }),
              ElementsAre("conv hard_swish", "mean", "linear"));
  EXPECT_THAT(NodesOf([](auto& onnx) {
                onnx.Node("Add", {"c", "three"}, "a");
                onnx.Node("Clip", {"a", "zero", "six"}, "b");
                onnx.Node("Div", {"b", "six"}, "y");
              }),
              ElementsAre("conv hard_sigmoid", "mean", "linear"));
  EXPECT_THAT(NodesOf([](auto& onnx) {
                onnx.Node("Div", {"c", "root"}, "d");
                onnx.Node("Erf", {"d"}, "e");
                onnx.Node("Add", {"e", "one"}, "a");
                onnx.Node("Mul", {"c", "a"}, "p");
                onnx.Node("Mul", {"p", "half"}, "y");
              }),
              ElementsAre("conv gelu", "mean", "linear"));
  EXPECT_THAT(NodesOf([](auto& onnx) {
                onnx.Node("Mul", {"root_of_half", "c"}, "d");
                onnx.Node("Erf", {"d"}, "e");
                onnx.Node("Add", {"one", "e"}, "a");
                onnx.Node("Mul", {"c", "half"}, "p");
                onnx.Node("Mul", {"p", "a"}, "y");
              }),
              ElementsAre("conv gelu", "mean", "linear"));
  EXPECT_THAT(NodesOf([](auto& onnx) {
                onnx.Node("Add", {"c", "three"}, "a");
                onnx.Node("Clip", {"a", "zero", "six"}, "b");
                onnx.Node("Mul", {"b", "c"}, "p");
                onnx.Node("Mul", {"sixth", "p"}, "y");
              }),
              ElementsAre("conv hard_swish", "mean", "linear"));
  EXPECT_THAT(NodesOf([](auto& onnx) {
                onnx.Node("Add", {"c", "three"}, "a");
                onnx.Node("Clip", {"a", "zero", "six"}, "b");
                onnx.Node("Mul", {"b", "sixth"}, "y");
              }),
              ElementsAre("conv hard_sigmoid", "mean", "linear"));
  EXPECT_THAT(NodesOf([](auto& onnx) {
                onnx.Node("Softplus", {"c"}, "s");
                onnx.Node("Tanh", {"s"}, "t");
                onnx.Node("Mul", {"c", "t"}, "y");
              }),
              ElementsAre("conv mish", "mean", "linear"));
}

}  // namespace
}  // namespace anybit::model
