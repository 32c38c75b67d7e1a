// Channels that are concatenated, split and shuffled, and outputs that are chosen.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "model/import/import_onnx.h"
#include "model/import/testing/onnx_builder.h"
#include "model/import/testing/small_model.h"

namespace anybit::model {
namespace {

using testing::ElementsAre;

TEST(ImportChannels, ConcatenatesByPlacingChannelsAmongZeros) {
  SmallModel model;
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
  EXPECT_THAT(ShortNodes(network->artifact),
              ElementsAre("conv relu", "conv relu", "conv + relu", "conv + relu", "mean", "linear"));
  // The middle three outputs are the means of the stem.
  SmallModel stem;
  stem.Conv("x", "stem", {3, 3, 3, 3});
  stem.builder.Node("Relu", {"stem"}, "relu");
  stem.builder.Node("GlobalAveragePool", {"relu"}, "pool");
  stem.builder.Output("pool");
  const std::vector<uint8_t> codes = RandomCodes(network->artifact);
  const std::vector<double> all = RunCodes(network->artifact, codes), alone = RunCodes(stem.Import()->artifact, codes);
  ASSERT_EQ(all.size(), 9u);
  for (size_t c = 0; c < 3; ++c) EXPECT_NEAR(all[2 + c], alone[c], 1e-6);
}

// A convolution and a ReLU of `channels` channels, "stem".
SmallModel StemOf(int64_t channels) {
  SmallModel model;
  model.Conv("x", "conv", {channels, 3, 3, 3});
  model.builder.Node("Relu", {"conv"}, "stem");
  return model;
}

// The means of the stem's channels.
std::vector<double> MeansOfStem(int64_t channels) {
  SmallModel model = StemOf(channels);
  model.builder.Node("GlobalAveragePool", {"stem"}, "pool");
  model.builder.Output("pool");
  const Artifact artifact = model.Import()->artifact;
  return RunCodes(artifact, RandomCodes(artifact));
}

// Adds the shuffle of ShuffleNet: channels as a matrix of `groups` rows, transposed.
void Shuffle(const std::string& from, const std::string& to, int64_t groups, int64_t channels, SmallModel& model) {
  model.builder.Integers(to + ".split", {1, groups, channels / groups, 8, 8});
  model.builder.Integers(to + ".map", {1, channels, 8, 8});
  model.builder.Node("Reshape", {from, to + ".split"}, to + ".rows");
  SetIntegers(model.builder.Node("Transpose", {to + ".rows"}, to + ".columns"), "perm", {0, 2, 1, 3, 4});
  model.builder.Node("Reshape", {to + ".columns", to + ".map"}, to);
}

TEST(ImportChannels, ShufflesThemByAConvolutionOfOnes) {
  SmallModel model = StemOf(6);
  Shuffle("stem", "shuffled", 2, 6, model);
  model.builder.Node("GlobalAveragePool", {"shuffled"}, "pool");
  model.builder.Output("pool");
  const absl::StatusOr<ImportedNetwork> network = model.Import();
  ASSERT_TRUE(network.ok()) << network.status();
  EXPECT_THAT(ShortNodes(network->artifact), ElementsAre("conv relu", "conv relu", "mean", "linear"));
  const std::vector<double> means = MeansOfStem(6);
  const std::vector<double> shuffled = RunCodes(network->artifact, RandomCodes(network->artifact));
  ASSERT_EQ(shuffled.size(), 6u);
  const int from[] = {0, 3, 1, 4, 2, 5};
  for (size_t c = 0; c < 6; ++c) EXPECT_NEAR(shuffled[c], means[from[c]], 1e-6) << c;
}

TEST(ImportChannels, AConvolutionReadsThroughAShuffleAndASplit) {
  SmallModel model = StemOf(6);
  Shuffle("stem", "shuffled", 2, 6, model);
  onnx::NodeProto& split = model.builder.Node("Split", {"shuffled"}, "left");
  split.add_output("right");
  SetInteger(split, "axis", 1);
  // A sum of the right half, channels 4, 2 and 5 of the stem.
  model.builder.Floats("ones", {1, 3, 1, 1}, {1, 10, 100});
  model.builder.Node("Conv", {"right", "ones"}, "sum");
  model.builder.Node("Relu", {"sum"}, "relu");
  model.builder.Node("GlobalAveragePool", {"relu"}, "pool");
  model.builder.Output("pool");
  const absl::StatusOr<ImportedNetwork> network = model.Import();
  ASSERT_TRUE(network.ok()) << network.status();
  EXPECT_THAT(ShortNodes(network->artifact), ElementsAre("conv relu", "conv relu", "mean", "linear"));
  const std::vector<double> means = MeansOfStem(6);
  EXPECT_NEAR(RunCodes(network->artifact, RandomCodes(network->artifact))[0], means[4] + 10 * means[2] + 100 * means[5],
              1e-4);
}

TEST(ImportChannels, OperatorsOfOneChannelReadWhatWasChosen) {
  SmallModel model = StemOf(5);
  for (const auto& [name, value] :
       {std::pair("from", 4), std::pair("to", 0), std::pair("axis", 1), std::pair("step", -2)}) {
    model.builder.Integers(name, {value});
  }
  model.builder.Node("Slice", {"stem", "from", "to", "axis", "step"}, "chosen");  // channels 4 and 2
  SetInteger(model.Conv("chosen", "depthwise", {2, 1, 3, 3}), "group", 2);
  model.builder.Node("Relu", {"depthwise"}, "relu");
  model.Head("relu", 2);
  const absl::StatusOr<ImportedNetwork> network = model.Import();
  ASSERT_TRUE(network.ok()) << network.status();
  EXPECT_THAT(ShortNodes(network->artifact), ElementsAre("conv relu", "conv relu", "depthwise relu", "mean", "linear"));
  SmallModel gathered = StemOf(5);
  gathered.builder.Integers("two", {4, 2});
  SetInteger(gathered.builder.Node("Gather", {"stem", "two"}, "chosen"), "axis", 1);
  SetInteger(gathered.Conv("chosen", "depthwise", {2, 1, 3, 3}), "group", 2);
  gathered.builder.Node("Relu", {"depthwise"}, "relu");
  gathered.Head("relu", 2);
  const std::vector<uint8_t> codes = RandomCodes(network->artifact);
  EXPECT_EQ(RunCodes(gathered.Import()->artifact, codes), RunCodes(network->artifact, codes));
}

TEST(ImportChannels, AChangedChoiceIsNotReadThrough) {
  SmallModel model;
  model.Conv("x", "stem", {4, 3, 3, 3});
  Shuffle("stem", "shuffled", 2, 4, model);
  model.Norm("shuffled", "norm", 4);
  model.Conv("norm", "next", {4, 4, 1, 1}, {0, 0, 0, 0});
  model.builder.Node("Relu", {"next"}, "relu");
  model.Head("relu", 4);
  const absl::StatusOr<ImportedNetwork> network = model.Import();
  ASSERT_TRUE(network.ok()) << network.status();
  EXPECT_THAT(ShortNodes(network->artifact), ElementsAre("conv", "conv", "conv relu", "mean", "linear"));
}

TEST(ImportChannels, RefusesChoicesOfRowsAndPartsThatDoNotFit) {
  SmallModel rows = StemOf(4);
  SetInteger(rows.builder.Node("Split", {"stem"}, "top"), "axis", 2);
  rows.Head("top", 4);
  EXPECT_EQ(rows.Error(), "node 'top' (Split): not of channels; accepted: whole channels of [batch, channels, ...]");
  SmallModel crop = StemOf(4);
  for (const auto& [name, value] : {std::pair("from", 0), std::pair("to", 7), std::pair("axis", 2)}) {
    crop.builder.Integers(name, {value});
  }
  crop.builder.Node("Slice", {"stem", "from", "to", "axis"}, "cropped");
  crop.Head("cropped", 4);
  EXPECT_EQ(crop.Error(),
            "node 'cropped' (Slice): of other dimensions than the channels; accepted: whole channels of [batch, "
            "channels, ...]");
  SmallModel parts = StemOf(4);
  parts.builder.Integers("sizes", {1, 2});
  onnx::NodeProto& split = parts.builder.Node("Split", {"stem", "sizes"}, "left");
  split.add_output("right");
  SetInteger(split, "axis", 1);
  parts.Head("left", 1);
  EXPECT_EQ(parts.Error(), "node 'left' (Split): 2 parts of 3 channels for 2 outputs of 4");
}

TEST(ImportChannels, OneOfSeveralOutputsIsChosen) {
  SmallModel model = StemOf(4);
  model.Head("stem", 4);
  model.builder.Node("LSTM", {"stem"}, "aux");
  model.builder.Output("aux");
  const absl::StatusOr<ImportedNetwork> network = model.Import({.output = "logits"});
  ASSERT_TRUE(network.ok()) << network.status();
  EXPECT_THAT(ShortNodes(network->artifact), ElementsAre("conv relu", "mean", "linear"));
}

}  // namespace
}  // namespace anybit::model
