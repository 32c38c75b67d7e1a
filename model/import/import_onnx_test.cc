#include "model/import/import_onnx.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "model/engine/packed_network.h"
#include "model/format/network_spec.h"
#include "model/import/testing/float_run.h"
#include "model/import/testing/onnx_builder.h"
#include "model/kernels/cpu/instruction_set.h"

namespace anybit::model {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<float> RandomFloats(int64_t count, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<float> values;
  for (int64_t i = 0; i < count; ++i) values.push_back(static_cast<float>(random() % 2001) / 1000 - 1);
  return values;
}

// A model with input "x" of a shape, whose layers get random weights.
class Model {
 public:
  explicit Model(const std::vector<int64_t>& input = {1, 3, 8, 8}) { builder.Input("x", input); }

  onnx::NodeProto& Conv(const std::string& from, const std::string& to, const std::vector<int64_t>& weights,
                        const std::vector<int64_t>& pads = {1, 1, 1, 1}) {
    Weights(to + ".w", weights);
    return SetIntegers(builder.Node("Conv", {from, to + ".w"}, to), "pads", pads);
  }
  void Linear(const std::string& from, const std::string& to, int64_t inputs, int64_t outputs) {
    Weights(to + ".w", {inputs, outputs});
    Weights(to + ".b", {outputs});
    builder.Node("Gemm", {from, to + ".w", to + ".b"}, to);
  }
  void Norm(const std::string& from, const std::string& to, int64_t channels) {
    for (const char* part : {".scale", ".shift", ".mean"}) Weights(to + part, {channels});
    builder.Floats(to + ".var", {channels}, std::vector<float>(channels, 0.5f));
    builder.Node("BatchNormalization", {from, to + ".scale", to + ".shift", to + ".mean", to + ".var"}, to);
  }
  void Weights(const std::string& name, const std::vector<int64_t>& shape) {
    int64_t count = 1;
    for (const int64_t extent : shape) count *= extent;
    builder.Floats(name, shape, RandomFloats(count, ++seed));
  }
  // A mean over the map and a linear layer of five classes.
  void Head(const std::string& from, int64_t channels) {
    builder.Node("GlobalAveragePool", {from}, "pool");
    builder.Node("Flatten", {"pool"}, "flat");
    Linear("flat", "logits", channels, 5);
    builder.Output("logits");
  }
  absl::StatusOr<ImportedNetwork> Import(const ImportOptions& options = {}) {
    return ImportOnnxText(builder.Text(), options);
  }
  std::string Error() { return std::string(Import().status().message()); }

  OnnxBuilder builder;
  uint64_t seed = 0;
};

std::vector<uint8_t> Codes(const Artifact& artifact) {
  std::mt19937_64 random(7);
  std::vector<uint8_t> codes(PlanNetwork(artifact.spec)->input_elements());
  for (uint8_t& code : codes) code = static_cast<uint8_t>(random());
  return codes;
}

std::vector<double> RunCodes(const Artifact& artifact, const std::vector<uint8_t>& codes) {
  return FloatRun(artifact, std::vector<double>(codes.begin(), codes.end()));
}

// The nodes in short: "conv", "conv relu", "conv + relu" where it adds, "depthwise", "max", "mean", "linear".
std::vector<std::string> Nodes(const Artifact& artifact) {
  std::vector<std::string> nodes;
  const NetworkPlan plan = *PlanNetwork(artifact.spec);
  for (const PlannedNode& node : plan.nodes) {
    std::string text = node.kind == NodeKind::kMaxPool      ? "max"
                       : node.kind == NodeKind::kGlobalPool ? "mean"
                       : node.kind == NodeKind::kLinear     ? "linear"
                       : node.kind == NodeKind::kGate       ? "gate"
                       : node.depthwise                     ? "depthwise"
                                                            : "conv";
    const bool activated = node.activation.function != proto::Activation::NONE;
    if (node.has_residual && node.kind == NodeKind::kConv) text += " +";
    if (node.kind == NodeKind::kConv && node.relu && !activated) text += " relu";
    if (activated) text += " " + absl::AsciiStrToLower(proto::Activation::Function_Name(node.activation.function));
    nodes.push_back(text);
  }
  return nodes;
}

// A network of blocks as ResNets have them: the second one strides and has a convolution as its shortcut.
Model ResidualModel() {
  Model model;
  model.Conv("x", "stem", {8, 3, 3, 3});
  model.Norm("stem", "stem.norm", 8);
  model.builder.Node("Relu", {"stem.norm"}, "stem.relu");
  model.Conv("stem.relu", "a1", {8, 8, 3, 3});
  model.Norm("a1", "a1.norm", 8);
  model.builder.Node("Relu", {"a1.norm"}, "a1.relu");
  model.Conv("a1.relu", "a2", {8, 8, 3, 3});
  model.Norm("a2", "a2.norm", 8);
  model.builder.Node("Add", {"a2.norm", "stem.relu"}, "a");
  model.builder.Node("Relu", {"a"}, "a.relu");
  SetIntegers(model.Conv("a.relu", "b1", {16, 8, 3, 3}), "strides", {2, 2});
  model.Norm("b1", "b1.norm", 16);
  model.builder.Node("Relu", {"b1.norm"}, "b1.relu");
  model.Conv("b1.relu", "b2", {16, 16, 3, 3});
  model.Norm("b2", "b2.norm", 16);
  SetIntegers(model.Conv("a.relu", "b.short", {16, 8, 1, 1}, {0, 0, 0, 0}), "strides", {2, 2});
  model.Norm("b.short", "b.short.norm", 16);
  model.builder.Node("Add", {"b2.norm", "b.short.norm"}, "b");
  model.builder.Node("Relu", {"b"}, "b.relu");
  model.Head("b.relu", 16);
  return model;
}

TEST(ImportOnnx, FoldsAResNetIntoItsConvolutions) {
  const absl::StatusOr<ImportedNetwork> network = ResidualModel().Import({.name = "My Net", .labels = {}});
  ASSERT_TRUE(network.ok()) << network.status();
  EXPECT_THAT(Nodes(network->artifact), ElementsAre("conv relu", "conv relu", "conv + relu", "conv", "conv relu",
                                                    "conv + relu", "mean", "linear"));
  EXPECT_EQ(network->artifact.spec.name(), "my.net");
  EXPECT_TRUE(network->sparse.empty());
}

TEST(ImportOnnx, GivesTheEngineTheSameNetwork) {
  const absl::StatusOr<ImportedNetwork> network = ResidualModel().Import();
  ASSERT_TRUE(network.ok()) << network.status();
  const std::vector<uint8_t> codes = Codes(network->artifact);
  const std::vector<double> expected = RunCodes(network->artifact, codes);
  const auto engine = PackedNetwork::Create(network->artifact, *SupportedKernels().front());
  ASSERT_TRUE(engine.ok()) << engine.status();
  std::vector<float> logits(5);
  const auto scratch = (*engine)->MakeScratch(1);
  ASSERT_TRUE((*engine)->Run(ToPointId(0), codes, logits, *scratch).ok());
  for (size_t i = 0; i < 5; ++i) EXPECT_NEAR(logits[i], expected[i], 1e-5 * std::fabs(expected[i]) + 1e-5);
}

TEST(ImportOnnx, TakesImagesOfOneChannelAndMapsOfOnePlace) {
  Model model({-1, 1, 3, 3});
  model.Conv("x", "conv", {4, 1, 3, 3}, {0, 0, 0, 0});
  model.Norm("conv", "norm", 4);
  model.builder.Node("Relu", {"norm"}, "relu");
  model.Conv("relu", "wide", {2, 4, 1, 1}, {1, 1, 1, 1});
  model.builder.Node("Relu", {"wide"}, "end");
  model.Head("end", 2);
  const absl::StatusOr<ImportedNetwork> network = model.Import();
  ASSERT_TRUE(network.ok()) << network.status();
  EXPECT_EQ(PlanNetwork(network->artifact.spec)->nodes[1].out, (FeatureShape{3, 3, 2}));
}

TEST(ImportOnnx, AppliesTheNormalisationOfItsInput) {
  Model model({1, 3, 2, 2});
  model.Conv("x", "conv", {4, 3, 2, 2}, {0, 0, 0, 0});
  model.builder.Node("Relu", {"conv"}, "relu");
  model.Head("relu", 4);
  const absl::StatusOr<ImportedNetwork> plain = model.Import();
  const absl::StatusOr<ImportedNetwork> scaled =
      model.Import({.scaling = {.mean = {0.5f, 0.25f, 0}, .deviation = {0.5f, 0.25f, 2}}});
  ASSERT_TRUE(plain.ok() && scaled.ok()) << scaled.status();
  const std::vector<uint8_t> codes = Codes(plain->artifact);
  std::vector<double> moved;
  const double means[] = {0.5, 0.25, 0}, deviations[] = {0.5, 0.25, 2};
  for (size_t i = 0; i < codes.size(); ++i) moved.push_back((codes[i] - 255 * means[i % 3]) / deviations[i % 3]);
  const std::vector<double> expected = FloatRun(plain->artifact, moved), got = RunCodes(scaled->artifact, codes);
  for (size_t i = 0; i < 5; ++i) EXPECT_NEAR(got[i], expected[i], 1e-5);
  EXPECT_TRUE(scaled->border.empty());
}

TEST(ImportOnnx, TellsTheCodesOfTheBorderWhereThePaddingIsNotBlack) {
  Model model = ResidualModel();
  const absl::StatusOr<ImportedNetwork> network = model.Import({.scaling = {.mean = {0.5f, 0.25f, 0}}});
  ASSERT_TRUE(network.ok()) << network.status();
  EXPECT_THAT(network->border, ElementsAre(127.5f, 63.75f, 0.0f));
  EXPECT_THAT(network->artifact.spec.padding_code(), ElementsAre(127.5f, 63.75f, 0.0f));
  const absl::StatusOr<ImportedNetwork> beyond = model.Import({.scaling = {.mean = {1.5f, 0, 0}}});
  ASSERT_TRUE(beyond.ok()) << beyond.status();
  EXPECT_THAT(beyond->border, ElementsAre(382.5f, 0.0f, 0.0f));
  EXPECT_EQ(beyond->artifact.spec.padding_code_size(), 0) << "no code stands for that";
}

TEST(ImportOnnx, FollowsChannelsThatStandLast) {
  Model first({1, 3, 6, 6}), last({1, 6, 6, 3});
  first.Conv("x", "conv", {4, 3, 3, 3});
  SetIntegers(last.builder.Node("Transpose", {"x"}, "nchw"), "perm", {0, 3, 1, 2});
  last.Conv("nchw", "conv", {4, 3, 3, 3});
  for (Model* model : {&first, &last}) {
    model->builder.Node("Relu", {"conv"}, "relu");
    std::string flat = "relu";
    if (model == &last) {
      SetIntegers(last.builder.Node("Transpose", {"relu"}, "nhwc"), "perm", {0, 2, 3, 1});
      flat = "nhwc";
    }
    model->builder.Integers("shape", {0, -1});
    model->builder.Node("Reshape", {flat, "shape"}, "flat");
  }
  // The same weights, in the order of the rows and columns of each.
  const std::vector<float> weights = RandomFloats(144 * 5, 99);
  std::vector<float> permuted(weights.size());
  for (int c = 0; c < 4; ++c) {
    for (int i = 0; i < 36; ++i) {
      for (int o = 0; o < 5; ++o) permuted[(i * 4 + c) * 5 + o] = weights[(c * 36 + i) * 5 + o];
    }
  }
  first.builder.Floats("m", {144, 5}, weights);
  last.builder.Floats("m", {144, 5}, permuted);
  for (Model* model : {&first, &last}) {
    model->builder.Node("MatMul", {"flat", "m"}, "y");
    model->builder.Output("y");
  }
  const absl::StatusOr<ImportedNetwork> a = first.Import(), b = last.Import();
  ASSERT_TRUE(a.ok() && b.ok()) << a.status() << b.status();
  EXPECT_EQ(a->artifact.store.back().full, b->artifact.store.back().full);
}

TEST(ImportOnnx, ComputesTheShapesThatExportersWriteStepByStep) {
  Model model({-1, 3, 8, 8});
  model.Conv("x", "conv", {4, 3, 3, 3});
  model.builder.Node("Relu", {"conv"}, "relu");
  model.builder.Integers("zero", {0});
  model.builder.Integers("rest", {-1});
  model.builder.Node("Shape", {"relu"}, "shape");
  model.builder.Node("Gather", {"shape", "zero"}, "batch");
  SetInteger(model.builder.Node("Concat", {"batch", "rest"}, "target"), "axis", 0);
  model.builder.Node("Reshape", {"relu", "target"}, "flat");
  model.Linear("flat", "y", 256, 5);
  model.builder.Output("y");
  const absl::StatusOr<ImportedNetwork> network = model.Import();
  ASSERT_TRUE(network.ok()) << network.status();
  EXPECT_THAT(Nodes(network->artifact), ElementsAre("conv relu", "linear"));
}

TEST(ImportOnnx, TurnsHiddenLinearLayersIntoConvolutionsOfTheWholeMap) {
  Model model({1, 3, 4, 4});
  model.Conv("x", "conv", {4, 3, 3, 3});
  model.builder.Node("Relu", {"conv"}, "relu");
  model.builder.Node("Flatten", {"relu"}, "flat");
  model.Linear("flat", "hidden", 64, 10);
  model.builder.Node("Relu", {"hidden"}, "hidden.relu");
  model.Linear("hidden.relu", "y", 10, 3);
  SetInteger(model.builder.Node("Softmax", {"y"}, "probabilities"), "axis", 1);
  model.builder.Output("probabilities");
  const absl::StatusOr<ImportedNetwork> network = model.Import();
  ASSERT_TRUE(network.ok()) << network.status();
  EXPECT_THAT(Nodes(network->artifact), ElementsAre("conv relu", "conv relu", "linear"));
  EXPECT_THAT(network->notes,
              ElementsAre("node 'probabilities' (Softmax) is left out: the artifact's outputs are logits"));
}

TEST(ImportOnnx, PutsAReluBehindAMaxPoolBeforeIt) {
  Model model;
  model.Conv("x", "conv", {4, 3, 3, 3});
  SetIntegers(SetIntegers(model.builder.Node("MaxPool", {"conv"}, "max"), "kernel_shape", {2, 2}), "strides", {2, 2});
  model.builder.Node("Relu", {"max"}, "relu");
  model.Head("relu", 4);
  const absl::StatusOr<ImportedNetwork> network = model.Import();
  ASSERT_TRUE(network.ok()) << network.status();
  EXPECT_THAT(Nodes(network->artifact), ElementsAre("conv relu", "max", "mean", "linear"));
}

// A batch norm and a ReLU before each convolution: neither can go into the addition, which two nodes read.
TEST(ImportOnnx, KeepsABatchNormOfASharedValueAsALayer) {
  Model model;
  model.Conv("x", "stem", {4, 3, 3, 3});
  model.Norm("stem", "norm", 4);
  model.builder.Node("Relu", {"norm"}, "relu");
  model.Conv("relu", "conv", {4, 4, 3, 3});
  model.builder.Node("Add", {"conv", "stem"}, "sum");
  model.builder.Node("Relu", {"sum"}, "end");
  model.Head("end", 4);
  const absl::StatusOr<ImportedNetwork> network = model.Import();
  ASSERT_TRUE(network.ok()) << network.status();
  EXPECT_THAT(Nodes(network->artifact), ElementsAre("conv", "depthwise relu", "conv + relu", "mean", "linear"));
}

TEST(ImportOnnx, EndsANetworkWithoutALinearLayerWithOne) {
  Model model;
  model.Conv("x", "conv", {4, 3, 3, 3});
  model.builder.Node("Relu", {"conv"}, "relu");
  model.builder.Node("GlobalAveragePool", {"relu"}, "pool");
  model.builder.Output("pool");
  const absl::StatusOr<ImportedNetwork> network = model.Import();
  ASSERT_TRUE(network.ok()) << network.status();
  EXPECT_THAT(Nodes(network->artifact), ElementsAre("conv relu", "mean", "linear"));
}

TEST(ImportOnnx, KeepsGroupsAsZeros) {
  Model model({1, 4, 6, 6});
  SetInteger(model.Conv("x", "conv", {6, 2, 3, 3}), "group", 2);
  model.builder.Node("Relu", {"conv"}, "relu");
  model.Head("relu", 6);
  const absl::StatusOr<ImportedNetwork> network = model.Import();
  ASSERT_TRUE(network.ok()) << network.status();
  EXPECT_THAT(network->sparse, ElementsAre("node 'conv' (Conv)"));
  EXPECT_THAT(network->notes,
              ElementsAre("node 'conv' (Conv) has 2 groups; it runs as one convolution of all channels"));
  const std::vector<float>& weights = network->artifact.store[0].full;  // [6][3][3][4]
  for (size_t i = 0; i < weights.size(); ++i) {
    const bool second = i / 36 >= 3, reads_second = i % 4 >= 2;
    if (second != reads_second) {
      EXPECT_EQ(weights[i], 0) << i;
    }
  }
}

// MobileNetV2's block: ReLU6, a depthwise convolution with padding, ReLU6, a linear 1x1 convolution.
TEST(ImportOnnx, MakesAClipFromZeroAnActivation) {
  Model model;
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
  EXPECT_THAT(Nodes(network->artifact), ElementsAre("conv clip", "depthwise clip", "conv relu", "mean", "linear"));
}

TEST(ImportOnnx, ComposesAClipThatDoesNotBeginAtZero) {
  Model model;
  model.builder.Floats("least", {}, {-0.125f});
  model.builder.Floats("most", {}, {0.125f});
  model.Conv("x", "conv", {6, 3, 1, 1}, {0, 0, 0, 0});
  model.builder.Node("Clip", {"conv", "least", "most"}, "clip");
  model.Head("clip", 6);
  const absl::StatusOr<ImportedNetwork> network = model.Import();
  ASSERT_TRUE(network.ok()) << network.status();
  EXPECT_THAT(Nodes(network->artifact), ElementsAre("conv relu", "depthwise relu", "mean", "linear"));
}

TEST(ImportOnnx, PutsFunctionsOfOneValueIntoTheirConvolution) {
  for (const char* op :
       {"Elu", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Mish", "Sigmoid", "Softplus", "Tanh"}) {
    Model model;
    model.Conv("x", "conv", {4, 3, 3, 3});
    model.builder.Node(op, {"conv"}, "a");
    model.Conv("a", "next", {4, 4, 3, 3});
    model.builder.Node("Relu", {"next"}, "relu");
    model.builder.Node(op, {"relu"}, "b");  // behind a ReLU it needs a layer of its own
    model.Head("b", 4);
    const absl::StatusOr<ImportedNetwork> network = model.Import();
    ASSERT_TRUE(network.ok()) << network.status();
    const std::vector<std::string> nodes = Nodes(network->artifact);
    ASSERT_EQ(nodes.size(), 5u) << op;
    EXPECT_THAT(nodes[0], testing::StartsWith("conv "));
    EXPECT_EQ(nodes[1], "conv relu");
    EXPECT_EQ(nodes[2], "depthwise " + nodes[0].substr(5));
  }
}

// Functions as exporters write them in parts, of a convolution's output "c".
std::vector<std::string> NodesOf(const std::function<void(OnnxBuilder&)>& add) {
  Model model;
  for (const auto& [name, value] :
       {std::pair("zero", 0.0f), std::pair("half", 0.5f), std::pair("one", 1.0f), std::pair("root", std::sqrt(2.0f)),
        std::pair("three", 3.0f), std::pair("six", 6.0f)}) {
    model.builder.Floats(name, {}, {value});
  }
  model.Conv("x", "c", {4, 3, 3, 3});
  add(model.builder);
  model.Head("y", 4);
  const absl::StatusOr<ImportedNetwork> network = model.Import();
  EXPECT_TRUE(network.ok()) << network.status();
  return network.ok() ? Nodes(network->artifact) : std::vector<std::string>();
}

TEST(ImportOnnx, FusesFunctionsThatExportersWriteInParts) {
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
                onnx.Node("Softplus", {"c"}, "s");
                onnx.Node("Tanh", {"s"}, "t");
                onnx.Node("Mul", {"c", "t"}, "y");
              }),
              ElementsAre("conv mish", "mean", "linear"));
}

TEST(ImportOnnx, MultipliesChannelsByFactorsOfAGlobalPool) {
  Model model;
  model.Conv("x", "stem", {8, 3, 3, 3});
  model.builder.Node("Relu", {"stem"}, "relu");
  model.builder.Node("GlobalAveragePool", {"relu"}, "mean");
  model.Conv("mean", "squeeze", {3, 8, 1, 1}, {0, 0, 0, 0});
  model.builder.Node("Relu", {"squeeze"}, "squeeze.relu");
  model.Conv("squeeze.relu", "excite", {8, 3, 1, 1}, {0, 0, 0, 0});
  model.builder.Node("Sigmoid", {"excite"}, "gate");
  model.builder.Node("Mul", {"gate", "relu"}, "gated");
  model.Conv("gated", "project", {4, 8, 3, 3});
  model.builder.Node("Relu", {"project"}, "end");
  model.Head("end", 4);
  const absl::StatusOr<ImportedNetwork> network = model.Import();
  ASSERT_TRUE(network.ok()) << network.status();
  EXPECT_THAT(Nodes(network->artifact),
              ElementsAre("conv relu", "mean", "conv relu", "conv sigmoid", "gate", "conv relu", "mean", "linear"));
}

TEST(ImportOnnx, ConcatenatesByPlacingChannelsAmongZeros) {
  Model model;
  model.Conv("x", "stem", {3, 3, 3, 3});
  model.builder.Node("Relu", {"stem"}, "relu");
  model.Conv("relu", "left", {2, 3, 1, 1}, {0, 0, 0, 0});
  model.builder.Node("Relu", {"left"}, "left.relu");
  model.Conv("relu", "right", {4, 3, 3, 3});
  model.builder.Node("Relu", {"right"}, "right.relu");
  SetInteger(model.builder.Node("Concat", {"left.relu", "relu", "right.relu"}, "all"), "axis", 1);
  model.builder.Node("GlobalAveragePool", {"all"}, "pool");
  model.builder.Output("pool");
  const absl::StatusOr<ImportedNetwork> network = model.Import();
  ASSERT_TRUE(network.ok()) << network.status();
  EXPECT_THAT(Nodes(network->artifact),
              ElementsAre("conv relu", "conv relu", "conv + relu", "conv + relu", "mean", "linear"));
  // The middle three outputs are the means of the stem.
  Model stem;
  stem.Conv("x", "stem", {3, 3, 3, 3});
  stem.builder.Node("Relu", {"stem"}, "relu");
  stem.builder.Node("GlobalAveragePool", {"relu"}, "pool");
  stem.builder.Output("pool");
  const std::vector<uint8_t> codes = Codes(network->artifact);
  const std::vector<double> all = RunCodes(network->artifact, codes), alone = RunCodes(stem.Import()->artifact, codes);
  ASSERT_EQ(all.size(), 9u);
  for (size_t c = 0; c < 3; ++c) EXPECT_NEAR(all[2 + c], alone[c], 1e-6);
}

TEST(ImportOnnx, NamesNodeOperatorAndWhatItAccepts) {
  Model unknown;
  unknown.builder.Node("LSTM", {"x"}, "lstm");
  unknown.builder.Node("Erf", {"lstm"}, "y");
  unknown.builder.Output("y");
  EXPECT_THAT(unknown.Error(),
              HasSubstr("node 'lstm' (LSTM), node 'y' (Erf): no such operator is supported; accepted: Add, "));
  Model product;
  product.builder.Node("Relu", {"x"}, "a");
  product.builder.Node("Mul", {"a", "x"}, "y");
  product.builder.Output("y");
  EXPECT_EQ(
      product.Error(),
      "node 'y' (Mul): both operands are computed; accepted: one is a constant, or a map times one number for each "
      "of its channels");
  Model map;
  map.builder.Node("Relu", {"x"}, "y");
  map.builder.Output("y");
  EXPECT_EQ(map.Error(), "the output is a map of 8x8 places; accepted: one value per class");
  Model signed_pool;
  signed_pool.Conv("x", "conv", {4, 3, 3, 3});
  onnx::NodeProto& pool = signed_pool.builder.Node("MaxPool", {"conv"}, "max");
  SetIntegers(SetIntegers(pool, "kernel_shape", {3, 3}), "pads", {1, 1, 1, 1});
  signed_pool.Head("max", 4);
  EXPECT_EQ(
      signed_pool.Error(),
      "node 'max' (MaxPool) reads node 'conv' (Conv), which gives values below 0; accepted: pools without padding "
      "read such a layer");
  Model two;
  two.builder.Node("Relu", {"x"}, "y");
  two.builder.Output("y");
  two.builder.Output("x");
  EXPECT_EQ(two.Error(), "the network has 2 outputs; accepted: one");
  Model open({1, 3, -1, 8});
  open.Conv("x", "conv", {4, 3, 3, 3});
  open.builder.Output("conv");
  EXPECT_EQ(open.Error(), "input 'x': dimension 2 is not fixed, expected 1..4096");
}

TEST(ImportOnnx, RefusesWeightsThatAreNotFinite) {
  Model model;
  model.builder.Floats("w", {1, 3, 1, 1}, {1, INFINITY, 0});
  model.builder.Node("Conv", {"x", "w"}, "conv");
  model.builder.Node("Relu", {"conv"}, "relu");
  model.Head("relu", 1);
  EXPECT_EQ(model.Error(), "node 'conv' (Conv): a weight, scale or bias is not finite");
}

TEST(ImportOnnx, RefusesComputedConstantsThatWouldNotFitIntoMemory) {
  Model model;
  model.builder.Integers("shape", {1 << 24});
  std::string last = "shape";
  for (int i = 0; i < 9; ++i) {
    const std::string next = "many" + std::to_string(i);
    model.builder.Node(i == 0 ? "ConstantOfShape" : "Neg", {last}, next);
    last = next;
  }
  model.builder.Node("Add", {"x", last}, "y");
  model.builder.Output("y");
  EXPECT_EQ(model.Error(), "node 'many8' (Neg): computed constants exceed 134217728 elements");
}

TEST(ImportOnnx, RefusesLayersThatWouldNotFitIntoMemory) {
  Model wide({1, 1, 4096, 4096});
  wide.builder.Floats("w", {2, 1, 1, 1}, {1, 1});
  wide.builder.Node("Conv", {"x", "w"}, "conv");
  wide.builder.Node("Relu", {"conv"}, "relu");
  wide.Head("relu", 2);
  EXPECT_EQ(wide.Error(),
            "node 'conv' (Conv): a map of 4096x4096x2, the limits are 65536 channels and 16777216 elements");
}

}  // namespace
}  // namespace anybit::model
