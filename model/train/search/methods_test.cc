#include "model/train/search/methods.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "model/arch/registry.h"
#include "model/testing/random_artifact.h"
#include "model/train/search/cost_table.h"

namespace anybit::model::train {
namespace {

Artifact TinyArtifact() { return RandomArtifact(*ArchitectureByName("fashion_tiny:side=8"), 1); }

Ladder TinyLadder() { return *FindRungs(TinyArtifact(), {"w8a8", "w4a4f", "w1a1"}); }

SearchSpace Space() {
  return {.tree = TreeOf(*PlanNetwork(TinyArtifact().spec)),
          .rungs = 3,
          .costs = BitProductCost(TinyArtifact(), TinyLadder())};
}

// A loss that is a sum over layers: later layers lose more, and lower rungs.
absl::StatusOr<double> SumOfLayers(const Route& route) {
  double loss = 1;
  for (size_t layer = 0; layer + 1 < route.size(); ++layer) {
    loss += static_cast<double>((layer + 1) * route[layer] * route[layer]);
  }
  return loss;
}

TEST(CostTableTest, BytesAreThoseOfCodesOfTheFewestBits) {
  const SearchSpace space = Space();
  const CostTable bytes = ByteCost(TinyArtifact(), TinyLadder());
  const NetworkPlan plan = *PlanNetwork(TinyArtifact().spec);
  int64_t inner = 0, wide = 0;
  for (size_t layer = 0; layer < plan.layers.size(); ++layer) {
    const bool is_wide = layer == 0 || layer + 1 == plan.layers.size();
    (is_wide ? wide : inner) += plan.layer(static_cast<int>(layer)).weights();
  }
  EXPECT_EQ(bytes.Of(space.tree, UniformRoute(space.tree, 0)), static_cast<double>(wide + inner));
  EXPECT_EQ(bytes.Of(space.tree, UniformRoute(space.tree, 1)), static_cast<double>(wide) + 0.5 * inner);
  EXPECT_EQ(bytes.Of(space.tree, UniformRoute(space.tree, 2)), static_cast<double>(wide) + 0.125 * inner);
}

TEST(CostTableTest, BitProductsCountTheCodesOfTheSource) {
  const SearchSpace space = Space();
  const NetworkPlan plan = *PlanNetwork(TinyArtifact().spec);
  // The second layer at w4a4f: 4 bits by the 8, 4 or 1 of the stem's codes.
  const double macs = static_cast<double>(plan.layer(1).macs());
  EXPECT_EQ(space.costs.layers[1][1], (std::vector<double>{32 * macs, 16 * macs, 4 * macs}));
  // The stem reads the image at every rung.
  EXPECT_EQ(space.costs.layers[0][2][0], 64 * static_cast<double>(plan.layer(0).macs()));
}

TEST(CostTableTest, RangeIsThatOfUniformRoutesWhereCostsFallWithTheRung) {
  const SearchSpace space = Space();
  const CostRange range = RangeOf(space.costs, space.tree, space.rungs);
  EXPECT_EQ(range.highest, space.costs.Of(space.tree, UniformRoute(space.tree, 0)));
  EXPECT_EQ(range.lowest, space.costs.Of(space.tree, UniformRoute(space.tree, 2)));
}

TEST(CostTableTest, BudgetsAreNumbersOrShares) {
  const CostTable costs{.unit = "us"};
  const CostRange range{.lowest = 100, .highest = 300};
  EXPECT_EQ(*ParseBudgets({"150", "25%"}, costs, range), (std::vector<double>{150, 150}));
  EXPECT_EQ(ParseBudgets({"99"}, costs, range).status().message(),
            "budget '99' is 99 us, outside the range of routes, 100 to below 300");
  EXPECT_EQ(ParseBudgets({"100%"}, costs, range).status().message(),
            "budget '100%' is 300 us, outside the range of routes, 100 to below 300");
  EXPECT_EQ(ParseBudgets({"much"}, costs, range).status().message(),
            "budget 'much' is neither a number nor a percentage");
  EXPECT_EQ(ParseBudgets({}, costs, range).status().message(), "no budget; routes cost 100 to 300 us");
}

TEST(MethodsTest, SensitivityOfAnAdditiveLossIsItsParts) {
  const SearchSpace space = Space();
  const Penalties penalties = *MeasuredSensitivity(space, SumOfLayers);
  for (int layer = 0; layer < space.tree.layers(); ++layer) {
    const double part = space.tree.tied[layer] ? 0 : layer + 1;
    EXPECT_EQ(penalties[layer], (std::vector<double>{0, part, 4 * part}));
  }
}

TEST(MethodsTest, SolvedRouteHasTheLeastLossOfAllWithinTheBudget) {
  const SearchSpace space = Space();
  const Penalties penalties = *MeasuredSensitivity(space, SumOfLayers);
  const CostRange range = RangeOf(space.costs, space.tree, space.rungs);
  const double budget = range.lowest + 0.3 * (range.highest - range.lowest);
  const std::vector<Route> routes = *RoutesOfLeastPenalty(space, penalties, budget, 5);
  const double solved = *SumOfLayers(*BestOf(routes, SumOfLayers));
  const std::vector<Route> random = *RandomRoutes(space, budget, 200, 1);
  for (const Route& route : random) EXPECT_LE(solved, *SumOfLayers(route));
  for (const Route& route : routes) EXPECT_LE(space.costs.Of(space.tree, route), budget);
}

TEST(MethodsTest, GreedyRoutesKeepTheirBudgets) {
  const SearchSpace space = Space();
  const CostRange range = RangeOf(space.costs, space.tree, space.rungs);
  const std::vector<double> budgets = {range.lowest, (range.lowest + range.highest) / 2};
  const std::vector<Route> routes = *GreedyRoutes(space, budgets, SumOfLayers);
  ASSERT_EQ(routes.size(), 2u);
  for (size_t i = 0; i < routes.size(); ++i) EXPECT_LE(space.costs.Of(space.tree, routes[i]), budgets[i]);
  EXPECT_LT(*SumOfLayers(routes[1]), *SumOfLayers(routes[0]));
}

TEST(MethodsTest, RandomRoutesAreDifferentAndNearTheBudgetAndFollowTheSeed) {
  const SearchSpace space = Space();
  const double budget = 0.4 * RangeOf(space.costs, space.tree, space.rungs).highest;
  const std::vector<Route> routes = *RandomRoutes(space, budget, 50, 3);
  EXPECT_EQ(routes, *RandomRoutes(space, budget, 50, 3));
  EXPECT_NE(routes, *RandomRoutes(space, budget, 50, 4));
  for (size_t i = 0; i < routes.size(); ++i) {
    EXPECT_TRUE(CheckRoute(space.tree, space.rungs, routes[i]).ok());
    EXPECT_LE(space.costs.Of(space.tree, routes[i]), budget);
    EXPECT_GE(space.costs.Of(space.tree, routes[i]), 0.95 * budget);
    EXPECT_EQ(std::count(routes.begin(), routes.end(), routes[i]), 1);
  }
}

TEST(MethodsTest, ErrorOfALossEndsTheSearch) {
  const LossOf fails = [](const Route&) { return absl::DataLossError("a damaged image"); };
  EXPECT_EQ(MeasuredSensitivity(Space(), fails).status(), absl::DataLossError("a damaged image"));
  EXPECT_EQ(GreedyRoutes(Space(), std::vector<double>{1}, fails).status(), absl::DataLossError("a damaged image"));
}

}  // namespace
}  // namespace anybit::model::train
