#include "model/train/search/hessian_traces.h"

#include <gtest/gtest.h>

#include "model/arch/registry.h"
#include "model/testing/random_artifact.h"

namespace anybit::model::train {
namespace {

// The float weights of a random artifact have nothing to do with its codes, so they are left out.
Artifact TinyArtifact() {
  Artifact artifact = RandomArtifact(*ArchitectureByName("fashion_tiny:side=8"), 1);
  for (LayerStore& store : artifact.store) store.full.clear();
  return artifact;
}

HessianTraces TracesOf(const LayerTree& tree) {
  HessianTraces traces{.network = "fashion", .images = 64, .samples = 8, .seed = 3, .seconds = 1.5};
  traces.layers = tree.names;
  traces.traces.assign(tree.names.size(), 10);
  traces.errors.assign(tree.names.size(), 0.5);
  return traces;
}

class HessianTracesTest : public testing::Test {
 protected:
  const Artifact artifact_ = TinyArtifact();
  const LayerTree tree_ = TreeOf(*PlanNetwork(artifact_.spec));
  const Ladder ladder_ = *FindRungs(artifact_, {"w8a8", "w4a4f", "w1a1"});
};

TEST_F(HessianTracesTest, TextIsReadBack) {
  const HessianTraces traces = TracesOf(tree_);
  const absl::StatusOr<HessianTraces> read = ParseHessianTraces(HessianTracesJson(traces));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(HessianTracesJson(*read), HessianTracesJson(traces));
  EXPECT_EQ(read->traces, traces.traces);
}

TEST_F(HessianTracesTest, TextThatHoldsNoTracesIsRefused) {
  EXPECT_EQ(ParseHessianTraces("{}").status().message(), "traces: no text 'network'");
  std::string text = HessianTracesJson(TracesOf(tree_));
  text.replace(text.find("\"trace\""), 7, "\"trade\"");
  EXPECT_EQ(ParseHessianTraces(text).status().message(), "traces: no number 'trace'");
}

TEST_F(HessianTracesTest, FewerBitsCostMoreByTheTraceOfTheirLayer) {
  HessianTraces traces = TracesOf(tree_);
  traces.traces[2] = 20;
  traces.traces[3] = -1;
  const Penalties once = *CurvaturePenalties(artifact_, tree_, ladder_, TracesOf(tree_));
  const Penalties penalties = *CurvaturePenalties(artifact_, tree_, ladder_, traces);
  EXPECT_EQ(penalties[1][0], 0);
  EXPECT_GT(penalties[1][1], 0);
  EXPECT_GT(penalties[1][2], penalties[1][1]);
  EXPECT_DOUBLE_EQ(penalties[2][2], 2 * once[2][2]);
  EXPECT_EQ(penalties[3][2], 0);
  // The first layer has the same eight-bit weights at every rung, and the last follows its source.
  EXPECT_EQ(penalties.front(), (std::vector<double>{0, 0, 0}));
  EXPECT_EQ(penalties.back(), (std::vector<double>{0, 0, 0}));
}

TEST_F(HessianTracesTest, PenaltyIsTheSquaredErrorAtTheBestUnit) {
  Artifact artifact = artifact_;
  // One filter of two weights, 1 and 3; one bit makes 1 and 1 of them, at best in units of 2.
  artifact.store[1] = {.q8 = {42, 127}, .scale = {1}, .full = {1, 3}};
  const Penalties penalties = *CurvaturePenalties(artifact, tree_, ladder_, TracesOf(tree_));
  EXPECT_NEAR(penalties[1][2], 10.0 / 2 * (1 + 1), 0.01);
}

TEST_F(HessianTracesTest, TracesOfOtherLayersAreRefused) {
  HessianTraces traces = TracesOf(tree_);
  traces.layers[1] = "other";
  EXPECT_EQ(CurvaturePenalties(artifact_, tree_, ladder_, traces).status().message(),
            "traces: measured on 'fashion', whose layers differ from the artifact's");
}

}  // namespace
}  // namespace anybit::model::train
