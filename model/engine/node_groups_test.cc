#include "model/engine/node_groups.h"

#include <vector>

#include <gtest/gtest.h>

#include "model/arch/basic_block_network.h"
#include "model/arch/registry.h"

namespace anybit::model {
namespace {

constexpr int64_t kNear = 512 << 10;

class GroupNodesTest : public testing::Test {
 protected:
  const NetworkPlan plan_ = *PlanNetwork(FashionNetwork());
  const ActivationPlan activations_ = PlanActivations(plan_);
};

TEST_F(GroupNodesTest, HoldsEveryNodeOnce) {
  for (const int64_t near : {int64_t{1}, kNear, kAllRows}) {
    int first = 0;
    for (const NodeGroup& group : GroupNodes(plan_, activations_, 1, near).groups) {
      EXPECT_GT(group.end, first);
      EXPECT_GE(group.rows, 1);
      first = group.end;
    }
    EXPECT_EQ(first, static_cast<int>(plan_.nodes.size()));
  }
}

TEST_F(GroupNodesTest, KeepsWhatANodeReadsAndWritesNear) {
  int first = 0;
  int limited = 0;
  for (const NodeGroup& group : GroupNodes(plan_, activations_, 1, kNear).groups) {
    for (int i = first; i < group.end && group.rows != kAllRows; ++i, ++limited) {
      const int64_t values =
          activations_.map(plan_.nodes[i].input).image_stride() + activations_.maps[i].image_stride();
      EXPECT_LE(group.rows * values, kNear) << plan_.nodes[i].name;
    }
    first = group.end;
  }
  EXPECT_GT(limited, 3);
}

TEST_F(GroupNodesTest, TakesWholeBatchesWhereWeightsAreMany) {
  constexpr int64_t kFew = 128 << 10;
  int first = 0, whole = 0;
  for (const NodeGroup& group : GroupNodes(plan_, activations_, 1, kFew).groups) {
    for (int i = first; i < group.end; ++i) {
      const PlannedNode& node = plan_.nodes[i];
      if (node.kind != NodeKind::kConv || node.weights() <= kFew) continue;
      EXPECT_EQ(group.rows, kAllRows) << node.name;
      ++whole;
    }
    first = group.end;
  }
  EXPECT_GT(whole, 0);
}

TEST_F(GroupNodesTest, RunsNodesOfUnlikeSizesApart) {
  int64_t before = 0;
  for (const NodeGroup& group : GroupNodes(plan_, activations_, 1, kNear).groups) {
    EXPECT_NE(group.rows, before);
    before = group.rows;
  }
  EXPECT_GT(GroupNodes(plan_, activations_, 1, kNear).groups.size(), 2u);
}

TEST(GroupNodes, RunsMapsThatDoNotStayNearInBands) {
  const NetworkPlan plan = *PlanNetwork(*ArchitectureByName("mobilenetv2_imagenet"));
  const NodeGroups groups = GroupNodes(plan, PlanActivations(plan), 4, kNear);
  EXPECT_GT(groups.bands.size(), 2u);
  int first = 0;
  size_t in_bands = 0;
  for (const NodeGroup& group : groups.groups) {
    if (group.bands >= 0) {
      EXPECT_EQ(group.rows, 1);
      EXPECT_EQ(groups.bands.at(in_bands).first, first);
      EXPECT_EQ(groups.bands.at(in_bands++).end, group.end);
    }
    first = group.end;
  }
  EXPECT_EQ(in_bands, groups.bands.size());
}

TEST_F(GroupNodesTest, TakesFewerRowsOfLongerValues) {
  EXPECT_LT(GroupNodes(plan_, activations_, 4, kNear).groups.front().rows,
            GroupNodes(plan_, activations_, 1, kNear).groups.front().rows);
}

}  // namespace
}  // namespace anybit::model
