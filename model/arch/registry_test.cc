#include "model/arch/registry.h"

#include <gtest/gtest.h>

#include "model/arch/basic_block_network.h"
#include "model/artifact.h"
#include "model/testing/random_artifact.h"

namespace anybit {
namespace {

TEST(Architectures, AllPlan) {
  for (const std::string& name : ArchitectureNames()) {
    const absl::StatusOr<NetworkSpec> spec = ArchitectureByName(name);
    ASSERT_TRUE(spec.ok()) << name;
    EXPECT_TRUE(PlanNetwork(*spec).ok()) << name << ": " << PlanNetwork(*spec).status();
  }
}

TEST(Architectures, AllMakeValidArtifacts) {
  for (const std::string& name : ArchitectureNames()) {
    const absl::Status status = ValidateArtifact(RandomArtifact(*ArchitectureByName(name), 1));
    EXPECT_TRUE(status.ok()) << name << ": " << status;
  }
}

TEST(Architectures, AnUnknownNameIsAnsweredWithTheKnownOnes) {
  EXPECT_EQ(ArchitectureByName("alexnet").status().message(),
            "no architecture 'alexnet'; known: fashion, fashion_tiny, resnet18, resnet20");
}

TEST(FashionNetwork, SpendsNearlyAllItsFortyEightMillionProductsInStrideOneConvolutions) {
  const NetworkPlan plan = *PlanNetwork(FashionNetwork());
  int64_t fast = 0;
  for (int index : plan.layers) {
    const PlannedNode& node = plan.nodes[index];
    if (node.kernel == 3 && node.stride == 1) fast += node.macs();
  }
  EXPECT_NEAR(static_cast<double>(plan.macs), 48.4e6, 0.1e6);
  EXPECT_GT(static_cast<double>(fast) / static_cast<double>(plan.macs), 0.97);
}

// Products of He et al.'s layers by hand: stem, 3x3 convolutions, 1x1 shortcuts, head.
TEST(ResNet18, HasThePublishedLayersForCifar) {
  const NetworkPlan plan = *PlanNetwork(ResNet18());
  const int64_t same = int64_t{32} * 32 * 64 * 64 * 9;  // a convolution within a stage: of every stage alike
  EXPECT_EQ(plan.layers.size(), 1u + 16u + 3u + 1u);
  EXPECT_EQ(plan.macs, 32 * 32 * 27 * 64 + 4 * same + 3 * (3 * same + same / 2 + same / 18) + 512 * 10);
  EXPECT_NEAR(static_cast<double>(plan.macs), 0.556e9, 0.001e9);
}

TEST(ResNet20, HasThePublishedLayersAndShortcutConvolutions) {
  const NetworkPlan plan = *PlanNetwork(ResNet20());
  const int64_t same = int64_t{32} * 32 * 16 * 16 * 9;
  EXPECT_EQ(plan.layers.size(), 1u + 18u + 2u + 1u);
  EXPECT_EQ(plan.macs, 32 * 32 * 27 * 16 + 6 * same + 2 * (5 * same + same / 2 + same / 18) + 64 * 10);
  EXPECT_NEAR(static_cast<double>(plan.macs), 40.8e6, 0.3e6);
}

TEST(BasicBlockNetwork, StridesOnlyInTheFirstBlockOfAStageAndNeedsNoPoolThen) {
  const NetworkPlan plan = *PlanNetwork(BasicBlockNetwork({.name = "strided",
                                                           .stem_stride = 1,
                                                           .stages = {8, 8},  // alike: only the stride needs a shortcut
                                                           .blocks_per_stage = 2,
                                                           .downsampling = Downsampling::kStride}));
  std::vector<std::string> strided;
  for (const PlannedNode& node : plan.nodes) {
    EXPECT_NE(node.kind, NodeKind::kMaxPool) << node.name;
    if (node.stride == 2) strided.push_back(node.name);
  }
  EXPECT_EQ(strided, (std::vector<std::string>{"stage2.block1.shortcut", "stage2.block1.conv1"}));
}

TEST(BasicBlockNetwork, HasAShortcutConvolutionOnlyWhereChannelsChange) {
  const NetworkPlan plan = *PlanNetwork(BasicBlockNetwork({.name = "deep", .stages = {8, 16}, .blocks_per_stage = 2}));
  std::vector<std::string> shortcuts;
  int residuals = 0;
  for (const PlannedNode& node : plan.nodes) {
    if (node.name.ends_with(".shortcut")) shortcuts.push_back(node.name);
    if (node.has_residual) ++residuals;
  }
  EXPECT_EQ(shortcuts, std::vector<std::string>{"stage2.block1.shortcut"});
  EXPECT_EQ(residuals, 4);
}

}  // namespace
}  // namespace anybit
