#include "model/import/import_onnx.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "model/engine/packed_network.h"
#include "model/format/network_spec.h"
#include "model/import/testing/float_run.h"
#include "model/import/testing/onnx_builder.h"
#include "model/import/testing/small_model.h"
#include "model/kernels/cpu/instruction_set.h"

namespace anybit::model {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// A network of blocks as ResNets have them: the second one strides and has a convolution as its shortcut.
SmallModel ResidualModel() {
  SmallModel model;
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
  EXPECT_THAT(ShortNodes(network->artifact), ElementsAre("conv relu", "conv relu", "conv + relu", "conv", "conv relu",
                                                         "conv + relu", "mean", "linear"));
  EXPECT_EQ(network->artifact.spec.name(), "my.net");
  EXPECT_TRUE(network->sparse.empty());
}

TEST(ImportOnnx, GivesTheEngineTheSameNetwork) {
  const absl::StatusOr<ImportedNetwork> network = ResidualModel().Import();
  ASSERT_TRUE(network.ok()) << network.status();
  const std::vector<uint8_t> codes = RandomCodes(network->artifact);
  const std::vector<double> expected = RunCodes(network->artifact, codes);
  const auto engine = PackedNetwork::Create(network->artifact, *SupportedKernels().front());
  ASSERT_TRUE(engine.ok()) << engine.status();
  std::vector<float> logits(5);
  const auto scratch = (*engine)->MakeScratch(1);
  ASSERT_TRUE((*engine)->Run(ToPointId(0), codes, logits, *scratch).ok());
  for (size_t i = 0; i < 5; ++i) EXPECT_NEAR(logits[i], expected[i], 1e-5 * std::fabs(expected[i]) + 1e-5);
}

TEST(ImportOnnx, TakesImagesOfOneChannelAndMapsOfOnePlace) {
  SmallModel model({-1, 1, 3, 3});
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
  SmallModel model({1, 3, 2, 2});
  model.Conv("x", "conv", {4, 3, 2, 2}, {0, 0, 0, 0});
  model.builder.Node("Relu", {"conv"}, "relu");
  model.Head("relu", 4);
  const absl::StatusOr<ImportedNetwork> plain = model.Import();
  const absl::StatusOr<ImportedNetwork> scaled =
      model.Import({.scaling = {.mean = {0.5f, 0.25f, 0}, .deviation = {0.5f, 0.25f, 2}}});
  ASSERT_TRUE(plain.ok() && scaled.ok()) << scaled.status();
  const std::vector<uint8_t> codes = RandomCodes(plain->artifact);
  std::vector<double> moved;
  const double means[] = {0.5, 0.25, 0}, deviations[] = {0.5, 0.25, 2};
  for (size_t i = 0; i < codes.size(); ++i) moved.push_back((codes[i] - 255 * means[i % 3]) / deviations[i % 3]);
  const std::vector<double> expected = FloatRun(plain->artifact, moved), got = RunCodes(scaled->artifact, codes);
  for (size_t i = 0; i < 5; ++i) EXPECT_NEAR(got[i], expected[i], 1e-5);
  EXPECT_TRUE(scaled->border.empty());
}

TEST(ImportOnnx, TellsTheCodesOfTheBorderWhereThePaddingIsNotBlack) {
  SmallModel model = ResidualModel();
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
  SmallModel first({1, 3, 6, 6}), last({1, 6, 6, 3});
  first.Conv("x", "conv", {4, 3, 3, 3});
  SetIntegers(last.builder.Node("Transpose", {"x"}, "nchw"), "perm", {0, 3, 1, 2});
  last.Conv("nchw", "conv", {4, 3, 3, 3});
  for (SmallModel* model : {&first, &last}) {
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
  for (SmallModel* model : {&first, &last}) {
    model->builder.Node("MatMul", {"flat", "m"}, "y");
    model->builder.Output("y");
  }
  const absl::StatusOr<ImportedNetwork> a = first.Import(), b = last.Import();
  ASSERT_TRUE(a.ok() && b.ok()) << a.status() << b.status();
  EXPECT_EQ(a->artifact.store.back().full, b->artifact.store.back().full);
}

TEST(ImportOnnx, ComputesTheShapesThatExportersWriteStepByStep) {
  SmallModel model({-1, 3, 8, 8});
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
  EXPECT_THAT(ShortNodes(network->artifact), ElementsAre("conv relu", "linear"));
}

TEST(ImportOnnx, TurnsHiddenLinearLayersIntoConvolutionsOfTheWholeMap) {
  SmallModel model({1, 3, 4, 4});
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
  EXPECT_THAT(ShortNodes(network->artifact), ElementsAre("conv relu", "conv relu", "linear"));
  EXPECT_THAT(network->notes,
              ElementsAre("node 'probabilities' (Softmax) is left out: the artifact's outputs are logits"));
}

TEST(ImportOnnx, PutsAReluBehindAMaxPoolBeforeIt) {
  SmallModel model;
  model.Conv("x", "conv", {4, 3, 3, 3});
  SetIntegers(SetIntegers(model.builder.Node("MaxPool", {"conv"}, "max"), "kernel_shape", {2, 2}), "strides", {2, 2});
  model.builder.Node("Relu", {"max"}, "relu");
  model.Head("relu", 4);
  const absl::StatusOr<ImportedNetwork> network = model.Import();
  ASSERT_TRUE(network.ok()) << network.status();
  EXPECT_THAT(ShortNodes(network->artifact), ElementsAre("conv relu", "max", "mean", "linear"));
}

// A batch norm and a ReLU before each convolution: neither can go into the addition, which two nodes read.
TEST(ImportOnnx, KeepsABatchNormOfASharedValueAsALayer) {
  SmallModel model;
  model.Conv("x", "stem", {4, 3, 3, 3});
  model.Norm("stem", "norm", 4);
  model.builder.Node("Relu", {"norm"}, "relu");
  model.Conv("relu", "conv", {4, 4, 3, 3});
  model.builder.Node("Add", {"conv", "stem"}, "sum");
  model.builder.Node("Relu", {"sum"}, "end");
  model.Head("end", 4);
  const absl::StatusOr<ImportedNetwork> network = model.Import();
  ASSERT_TRUE(network.ok()) << network.status();
  EXPECT_THAT(ShortNodes(network->artifact), ElementsAre("conv", "depthwise relu", "conv + relu", "mean", "linear"));
}

TEST(ImportOnnx, EndsANetworkWithoutALinearLayerWithOne) {
  SmallModel model;
  model.Conv("x", "conv", {4, 3, 3, 3});
  model.builder.Node("Relu", {"conv"}, "relu");
  model.builder.Node("GlobalAveragePool", {"relu"}, "pool");
  model.builder.Output("pool");
  const absl::StatusOr<ImportedNetwork> network = model.Import();
  ASSERT_TRUE(network.ok()) << network.status();
  EXPECT_THAT(ShortNodes(network->artifact), ElementsAre("conv relu", "mean", "linear"));
}

TEST(ImportOnnx, KeepsGroupsAsZeros) {
  SmallModel model({1, 4, 6, 6});
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

TEST(ImportOnnx, MultipliesChannelsByFactorsOfAGlobalPool) {
  SmallModel model;
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
  EXPECT_THAT(ShortNodes(network->artifact),
              ElementsAre("conv relu", "mean", "conv relu", "conv sigmoid", "gate", "conv relu", "mean", "linear"));
}

TEST(ImportOnnx, NamesNodeOperatorAndWhatItAccepts) {
  SmallModel unknown;
  unknown.builder.Node("LSTM", {"x"}, "lstm");
  unknown.builder.Node("Erf", {"lstm"}, "y");
  unknown.builder.Output("y");
  EXPECT_THAT(unknown.Error(),
              HasSubstr("node 'lstm' (LSTM), node 'y' (Erf): no such operator is supported; accepted: Add, "));
  SmallModel product;
  product.builder.Node("Relu", {"x"}, "a");
  product.builder.Node("Mul", {"a", "x"}, "y");
  product.builder.Output("y");
  EXPECT_EQ(
      product.Error(),
      "node 'y' (Mul): both operands are computed; accepted: one is a constant, or a map times one number for each "
      "of its channels");
  SmallModel map;
  map.builder.Node("Relu", {"x"}, "y");
  map.builder.Output("y");
  EXPECT_EQ(map.Error(), "the output is a map of 8x8 places; accepted: one value per class");
  SmallModel signed_pool;
  signed_pool.Conv("x", "conv", {4, 3, 3, 3});
  onnx::NodeProto& pool = signed_pool.builder.Node("MaxPool", {"conv"}, "max");
  SetIntegers(SetIntegers(pool, "kernel_shape", {3, 3}), "pads", {1, 1, 1, 1});
  signed_pool.Head("max", 4);
  EXPECT_EQ(
      signed_pool.Error(),
      "node 'max' (MaxPool) reads node 'conv' (Conv), which gives values below 0; accepted: pools without padding "
      "read such a layer");
  SmallModel two;
  two.builder.Node("Relu", {"x"}, "y");
  two.builder.Output("y");
  two.builder.Output("x");
  EXPECT_EQ(two.Error(), "the network has 2 outputs: 'y', 'x'; accepted: one, which --output=NAME chooses");
  EXPECT_EQ(two.Error({.output = "z"}), "--output: the network has no output 'z'; it has 'y', 'x'");
  SmallModel open({1, 3, -1, 8});
  open.Conv("x", "conv", {4, 3, 3, 3});
  open.builder.Output("conv");
  EXPECT_EQ(open.Error(), "input 'x': dimension 2 is not fixed, expected 1..4096");
}

TEST(ImportOnnx, RefusesWeightsThatAreNotFinite) {
  SmallModel model;
  model.builder.Floats("w", {1, 3, 1, 1}, {1, INFINITY, 0});
  model.builder.Node("Conv", {"x", "w"}, "conv");
  model.builder.Node("Relu", {"conv"}, "relu");
  model.Head("relu", 1);
  EXPECT_EQ(model.Error(), "node 'conv' (Conv): a weight, scale or bias is not finite");
}

TEST(ImportOnnx, RefusesComputedConstantsThatWouldNotFitIntoMemory) {
  SmallModel model;
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
  SmallModel wide({1, 1, 4096, 4096});
  wide.builder.Floats("w", {2, 1, 1, 1}, {1, 1});
  wide.builder.Node("Conv", {"x", "w"}, "conv");
  wide.builder.Node("Relu", {"conv"}, "relu");
  wide.Head("relu", 2);
  EXPECT_EQ(wide.Error(),
            "node 'conv' (Conv): a map of 4096x4096x2, the limits are 65536 channels and 16777216 elements");
}

}  // namespace
}  // namespace anybit::model
