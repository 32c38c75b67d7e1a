#include "model/train/search/route.h"

#include <gtest/gtest.h>

#include "model/arch/registry.h"
#include "model/testing/random_artifact.h"

namespace anybit::model::train {
namespace {

Artifact TinyArtifact() { return RandomArtifact(*ArchitectureByName("fashion_tiny:side=8"), 1); }

LayerTree TreeOfTiny() { return TreeOf(*PlanNetwork(TinyArtifact().spec)); }

int LayerNamed(const LayerTree& tree, const std::string& name) {
  return static_cast<int>(std::find(tree.names.begin(), tree.names.end(), name) - tree.names.begin());
}

TEST(RouteTest, LayersReadTheConvolutionBeforeThePool) {
  const LayerTree tree = TreeOf(*PlanNetwork(*ArchitectureByName("fashion")));
  const auto source = [&](const std::string& name) { return tree.source[LayerNamed(tree, name)]; };
  EXPECT_EQ(source("stem"), LayerTree::kImage);
  EXPECT_EQ(source("stage1.block1.conv1"), LayerNamed(tree, "stem"));
  EXPECT_EQ(source("stage2.block1.conv1"), LayerNamed(tree, "stage1.block1.conv2"));
  EXPECT_EQ(source("stage2.block1.shortcut"), LayerNamed(tree, "stage1.block1.conv2"));
  EXPECT_EQ(source("head"), LayerNamed(tree, "stage3.block1.conv2"));
}

TEST(RouteTest, OnlyTheLastLayerFollowsItsSource) {
  const LayerTree tree = TreeOfTiny();
  for (int layer = 0; layer < tree.layers(); ++layer) EXPECT_EQ(tree.tied[layer], layer == tree.layers() - 1);
  Route route = UniformRoute(tree, 0);
  route[tree.source.back()] = 2;
  EXPECT_FALSE(CheckRoute(tree, 3, route).ok());
  TieLayers(tree, route);
  EXPECT_EQ(route.back(), 2);
  EXPECT_TRUE(CheckRoute(tree, 3, route).ok());
}

TEST(RouteTest, RungsAreTheQuantizedPointsOfTheArtifact) {
  const absl::StatusOr<Ladder> ladder = FindRungs(TinyArtifact(), {});
  ASSERT_TRUE(ladder.ok()) << ladder.status();
  EXPECT_EQ(ladder->names, (std::vector<std::string>{"w8a8", "w4a4f", "w3a2f", "w1a1", "w1a2"}));
  EXPECT_EQ(ladder->points, (std::vector<int>{1, 2, 3, 4, 5}));
}

TEST(RouteTest, RungsThatAreNoQuantizedPointsAreRefusedByName) {
  const auto error = [](const std::vector<std::string>& names) {
    return std::string(FindRungs(TinyArtifact(), names).status().message());
  };
  EXPECT_EQ(error({"w8a8", "w6a6"}),
            "no operating point 'w6a6' for a rung; the artifact has fp32, w8a8, w4a4f, w3a2f, w1a1, w1a2");
  EXPECT_EQ(error({"fp32", "w8a8"}),
            "operating point 'fp32' is full precision: it has no codes, so it cannot be a rung");
  EXPECT_EQ(error({"w8a8", "w8a8"}), "rung 'w8a8' is named twice");
  EXPECT_EQ(error({"w8a8"}),
            "1 rungs, expected at least 2 quantized points; the artifact has fp32, w8a8, w4a4f, w3a2f, w1a1, w1a2");
}

TEST(RouteTest, BitsOfARouteAreTheLowestOfItsLayers) {
  const Artifact artifact = TinyArtifact();
  const LayerTree tree = TreeOfTiny();
  const Ladder ladder = *FindRungs(artifact, {"w8a8", "w4a4f", "w1a2"});
  Route route = UniformRoute(tree, 0);
  EXPECT_EQ(ComposeRoute(artifact, ladder, route, "x").info.weight_bits, 8);
  route[1] = 1;
  EXPECT_EQ(ComposeRoute(artifact, ladder, route, "x").info.weight_bits, 4);
  EXPECT_EQ(ComposeRoute(artifact, ladder, route, "x").info.activation_bits, 4);
  // The first layer keeps 8-bit weights at every rung; only its codes have fewer bits.
  route[0] = 2;
  EXPECT_EQ(ComposeRoute(artifact, ladder, route, "x").info.weight_bits, 4);
  EXPECT_EQ(ComposeRoute(artifact, ladder, route, "x").info.activation_bits, 2);
}

TEST(RouteTest, TextOfARouteIsReadBack) {
  const LayerTree tree = TreeOfTiny();
  const Ladder ladder = *FindRungs(TinyArtifact(), {"w8a8", "w1a1"});
  Route route = UniformRoute(tree, 0);
  route[2] = 1;
  TieLayers(tree, route);
  EXPECT_EQ(*ParseRoute(tree, ladder, RouteText(ladder, route)), route);
  EXPECT_EQ(ParseRoute(tree, ladder, "w8a8,w6a6").status().message(), "rung 'w6a6' is none of w8a8, w1a1");
  EXPECT_FALSE(ParseRoute(tree, ladder, "w8a8,w1a1").ok());
}

}  // namespace
}  // namespace anybit::model::train
