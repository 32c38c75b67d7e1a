#include "model/arch/registry.h"

#include <gtest/gtest.h>

#include "model/arch/basic_block_network.h"

namespace anybit {
namespace {

TEST(Architectures, AllPlan) {
  for (const std::string& name : ArchitectureNames()) {
    const absl::StatusOr<NetworkSpec> spec = ArchitectureByName(name);
    ASSERT_TRUE(spec.ok()) << name;
    EXPECT_TRUE(PlanNetwork(*spec).ok()) << name << ": " << PlanNetwork(*spec).status();
  }
}

TEST(Architectures, AnUnknownNameIsAnsweredWithTheKnownOnes) {
  EXPECT_EQ(ArchitectureByName("alexnet").status().message(),
            "no architecture 'alexnet'; known: fashion, fashion_tiny");
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
