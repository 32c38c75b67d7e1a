#include "model/train/recipe/block_swap.h"

#include <cmath>
#include <set>

#include <gtest/gtest.h>

#include "model/arch/basic_block_network.h"
#include "model/train/recipe/chance.h"

namespace anybit::model::train {
namespace {

using Names = std::vector<std::vector<std::string>>;

Names BlockNames(const NetworkPlan& plan) {
  Names names;
  for (const Block& block : SwappableBlocks(plan)) {
    names.emplace_back();
    for (int node : block) names.back().push_back(plan.nodes[node].name);
  }
  return names;
}

TEST(SwappableBlocks, AreEverythingBetweenTheForkAndTheAddition) {
  const NetworkPlan plan = *PlanNetwork(BasicBlockNetwork({.name = "deep", .stages = {8, 16}, .blocks_per_stage = 2}));
  EXPECT_EQ(BlockNames(plan), (Names{{"stage1.block1.conv1", "stage1.block1.conv2"},
                                     {"stage1.block2.conv1", "stage1.block2.conv2"},
                                     {"stage2.block1.shortcut", "stage2.block1.conv1", "stage2.block1.conv2"},
                                     {"stage2.block2.conv1", "stage2.block2.conv2"}}));
}

// in -> a -> b (+ in), then c (+ b) with d between.
NetworkSpec Unnamed() {
  NetworkSpec spec;
  spec.set_name("unnamed");
  spec.mutable_input()->set_name("image");
  for (int extent : {8, 8, 4}) spec.mutable_input()->add_shape(extent);
  spec.mutable_output()->set_name("logits");
  spec.mutable_output()->add_shape(2);
  const auto add = [&](const char* name, std::vector<std::string> inputs) -> proto::Node& {
    proto::Node& node = *spec.add_nodes();
    node.set_name(name);
    for (const std::string& input : inputs) node.add_inputs(input);
    return node;
  };
  const auto conv = [&](const char* name, std::vector<std::string> inputs) {
    proto::Conv& c = *add(name, std::move(inputs)).mutable_conv();
    c.set_out_channels(4);
    c.set_kernel(3);
    c.set_stride(1);
    c.set_padding(1);
  };
  conv("a", {"input"});
  conv("b", {"a", "input"});
  conv("d", {"b"});
  conv("e", {"d"});
  conv("c", {"e", "b"});
  add("p", {"c"}).mutable_global_pool();
  add("h", {"p"}).mutable_linear()->set_out_features(2);
  return spec;
}

TEST(SwappableBlocks, AreFoundInTheGraphWhateverNodesAreCalled) {
  EXPECT_EQ(BlockNames(*PlanNetwork(Unnamed())), (Names{{"a", "b"}, {"d", "e", "c"}}));
}

TEST(SwappableBlocks, AreSingleConvolutionsWhereNothingIsAdded) {
  NetworkSpec spec = Unnamed();
  for (proto::Node& node : *spec.mutable_nodes()) {
    while (node.inputs_size() > 1) node.mutable_inputs()->RemoveLast();
  }
  EXPECT_EQ(BlockNames(*PlanNetwork(spec)), (Names{{"b"}, {"d"}, {"e"}, {"c"}}));
}

TEST(SwapProbability, FallsFromItsStartToZeroAtItsEnd) {
  Recipe recipe{.swap = 0.8, .swap_end = 0.5};
  EXPECT_DOUBLE_EQ(SwapProbability(recipe, 0), 0.8);
  EXPECT_DOUBLE_EQ(SwapProbability(recipe, 0.25), 0.4);
  EXPECT_DOUBLE_EQ(SwapProbability(recipe, 0.5), 0);
  EXPECT_DOUBLE_EQ(SwapProbability(recipe, 1), 0);
  recipe.swap_shape = ScheduleShape::kCosine;
  EXPECT_DOUBLE_EQ(SwapProbability(recipe, 0), 0.8);
  EXPECT_NEAR(SwapProbability(recipe, 0.125), 0.8 * 0.853553, 1e-6);
  recipe.swap_shape = ScheduleShape::kConstant;
  EXPECT_DOUBLE_EQ(SwapProbability(recipe, 0.49), 0.8);
  EXPECT_DOUBLE_EQ(SwapProbability(recipe, 0.5), 0);
}

TEST(SwapProbability, RisesWhereItsCourseIsRising) {
  Recipe recipe{.swap = 0.5, .swap_low = 0.1, .swap_end = 0.8, .swap_course = ScheduleCourse::kRising};
  EXPECT_DOUBLE_EQ(SwapProbability(recipe, 0), 0.1);
  EXPECT_DOUBLE_EQ(SwapProbability(recipe, 0.4), 0.3);
  EXPECT_NEAR(SwapProbability(recipe, 0.8 - 1e-12), 0.5, 1e-9);
  EXPECT_DOUBLE_EQ(SwapProbability(recipe, 0.8), 0);
  recipe.swap_shape = ScheduleShape::kCosine;
  EXPECT_DOUBLE_EQ(SwapProbability(recipe, 0), 0.1);
  EXPECT_NEAR(SwapProbability(recipe, 0.2), 0.1 + 0.4 * 0.146447, 1e-6);
  recipe.swap_shape = ScheduleShape::kConstant;
  EXPECT_DOUBLE_EQ(SwapProbability(recipe, 0.2), 0.5);
}

TEST(SwapProbability, RestartsInEachCycle) {
  const Recipe recipe{.swap = 0.8, .swap_end = 0.9, .swap_cycles = 3};
  for (double start : {0.0, 0.3, 0.6}) {
    EXPECT_NEAR(SwapProbability(recipe, start + 1e-12), 0.8, 1e-9) << start;
    EXPECT_NEAR(SwapProbability(recipe, start + 0.15), 0.4, 1e-9) << start;
    EXPECT_NEAR(SwapProbability(recipe, start + 0.3 - 1e-12), 0, 1e-9) << start;
  }
}

TEST(SwapProbability, IsZeroOutsideItsWindow) {
  const Recipe recipe{.swap = 0.8, .swap_low = 0.2, .swap_begin = 0.25, .swap_end = 0.75};
  EXPECT_DOUBLE_EQ(SwapProbability(recipe, 0.24), 0);
  EXPECT_DOUBLE_EQ(SwapProbability(recipe, 0.25), 0.8);
  EXPECT_DOUBLE_EQ(SwapProbability(recipe, 0.5), 0.5);
  EXPECT_DOUBLE_EQ(SwapProbability(recipe, 0.75), 0);
}

class SwapBlocksTest : public testing::Test {
 protected:
  const NetworkPlan plan_ = *PlanNetwork(BasicBlockNetwork({.name = "deep", .stages = {8, 16}, .blocks_per_stage = 2}));
  const std::vector<Block> blocks_ = SwappableBlocks(plan_);
};

TEST_F(SwapBlocksTest, SwapsWholeBlocksAndNothingElse) {
  for (int64_t step = 0; step < 50; ++step) {
    const Route route = SwapBlocks(plan_, blocks_, 4, 1, 0.5, 1, step);
    std::set<int> in_blocks;
    for (const Block& block : blocks_) {
      for (int node : block) {
        EXPECT_EQ(route[node], route[block[0]]);
        in_blocks.insert(node);
      }
    }
    for (size_t node = 0; node < route.size(); ++node) {
      EXPECT_TRUE(in_blocks.contains(static_cast<int>(node)) || route[node] == 4) << plan_.nodes[node].name;
    }
  }
  EXPECT_EQ(SwapBlocks(plan_, blocks_, 4, 1, 0, 1, 1), Route(plan_.nodes.size(), 4));
}

TEST_F(SwapBlocksTest, SwapsAsOftenAsAskedEachBlockForItself) {
  constexpr int kSteps = 4000;
  std::vector<double> swaps(blocks_.size());
  int together = 0;
  for (int64_t step = 0; step < kSteps; ++step) {
    const Route route = SwapBlocks(plan_, blocks_, 4, 1, 0.3, 1, step);
    for (size_t b = 0; b < blocks_.size(); ++b) swaps[b] += route[blocks_[b][0]] == 1;
    together += route[blocks_[0][0]] == 1 && route[blocks_[1][0]] == 1;
  }
  // Four standard deviations of a binomial share.
  for (double n : swaps) EXPECT_NEAR(n / kSteps, 0.3, 4 * std::sqrt(0.3 * 0.7 / kSteps));
  EXPECT_NEAR(together / double{kSteps}, 0.09, 4 * std::sqrt(0.09 * 0.91 / kSteps));
}

TEST_F(SwapBlocksTest, IsAFunctionOfSeedStepAndStudent) {
  const auto routes = [&](int student, uint64_t seed, int64_t first) {
    std::vector<std::vector<bool>> swapped;
    for (int64_t step = first; step < first + 20; ++step) {
      swapped.emplace_back();
      for (int node : SwapBlocks(plan_, blocks_, student, 0, 0.5, seed, step)) swapped.back().push_back(node == 0);
    }
    return swapped;
  };
  EXPECT_EQ(routes(4, 1, 0), routes(4, 1, 0));
  EXPECT_NE(routes(4, 1, 0), routes(4, 2, 0));
  EXPECT_NE(routes(4, 1, 0), routes(3, 1, 0));
  EXPECT_NE(routes(4, 1, 0), routes(4, 1, 1));
}

TEST(Draw, SeparatesItsPurposesAndTheOrderOfItsKeys) {
  EXPECT_NE(Draw(1, Purpose::kTeacher, {2, 3}), Draw(1, Purpose::kBlockSwap, {2, 3}));
  EXPECT_NE(Draw(1, Purpose::kTeacher, {2, 3}), Draw(1, Purpose::kTeacher, {3, 2}));
}

}  // namespace
}  // namespace anybit::model::train
