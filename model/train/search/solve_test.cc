#include "model/train/search/solve.h"

#include <algorithm>
#include <limits>
#include <random>

#include <gtest/gtest.h>

#include "base/random.h"

namespace anybit::model::train {
namespace {

// A block network's tree: a stem, blocks whose input feeds two layers, and a last layer that follows its source.
RouteProblem RandomProblem(uint64_t seed, int rungs, int64_t budget) {
  std::mt19937_64 random(seed);
  RouteProblem problem{.tree = {.names = {"stem", "a1", "a2", "shortcut", "b1", "b2", "head"},
                                .source = {LayerTree::kImage, 0, 1, 2, 2, 4, 5},
                                .tied = {false, false, false, false, false, false, true}},
                       .rungs = rungs,
                       .penalty = {},
                       .cost = {},
                       .budget = budget};
  for (int layer = 0; layer < problem.tree.layers(); ++layer) {
    auto& penalty = problem.penalty.emplace_back();
    auto& cost = problem.cost.emplace_back();
    for (int own = 0; own < rungs; ++own) {
      penalty.push_back(UniformIn(random, -0.1, 1));
      auto& of_rung = cost.emplace_back();
      for (int input = 0; input < rungs; ++input) of_rung.push_back(UniformInt(random, 1, 20));
    }
  }
  return problem;
}

int64_t CostOf(const RouteProblem& problem, const Route& route) {
  int64_t cost = 0;
  for (int layer = 0; layer < problem.tree.layers(); ++layer) {
    cost += problem.cost[layer][route[layer]][problem.tree.InputRung(route, layer)];
  }
  return cost;
}

double PenaltyOf(const RouteProblem& problem, const Route& route) {
  double penalty = 0;
  for (int layer = 0; layer < problem.tree.layers(); ++layer) penalty += problem.penalty[layer][route[layer]];
  return penalty;
}

// The least penalty of all routes within the budget, by trying all.
double LeastByEnumeration(const RouteProblem& problem) {
  double least = std::numeric_limits<double>::infinity();
  Route route(problem.tree.layers(), 0);
  while (true) {
    TieLayers(problem.tree, route);
    if (CostOf(problem, route) <= problem.budget) least = std::min(least, PenaltyOf(problem, route));
    int layer = 0;
    while (layer + 1 < problem.tree.layers() && ++route[layer] == problem.rungs) route[layer++] = 0;
    if (layer + 1 == problem.tree.layers()) return least;
  }
}

TEST(SolveTest, BestRouteIsThatOfExhaustiveEnumeration) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE(seed);
    const RouteProblem problem = RandomProblem(seed, 3, 45 + static_cast<int64_t>(seed));
    const absl::StatusOr<std::vector<SolvedRoute>> solved = BestRoutes(problem, 1);
    const double least = LeastByEnumeration(problem);
    if (!solved.ok()) {
      EXPECT_EQ(least, std::numeric_limits<double>::infinity());
      continue;
    }
    EXPECT_NEAR(solved->front().penalty, least, 1e-12);
  }
}

TEST(SolveTest, RoutesHaveTheCostsAndPenaltiesThatAreStated) {
  const RouteProblem problem = RandomProblem(3, 4, 80);
  const std::vector<SolvedRoute> solved = *BestRoutes(problem, 20);
  EXPECT_EQ(solved.size(), 20u);
  for (size_t i = 0; i < solved.size(); ++i) {
    EXPECT_TRUE(CheckRoute(problem.tree, problem.rungs, solved[i].route).ok());
    EXPECT_EQ(CostOf(problem, solved[i].route), solved[i].cost);
    EXPECT_LE(solved[i].cost, problem.budget);
    EXPECT_NEAR(PenaltyOf(problem, solved[i].route), solved[i].penalty, 1e-12);
    if (i > 0) {
      EXPECT_GE(solved[i].penalty, solved[i - 1].penalty);
    }
  }
}

TEST(SolveTest, BudgetBelowEveryRouteIsRefused) {
  EXPECT_EQ(BestRoutes(RandomProblem(1, 3, 6), 1).status(),
            absl::ResourceExhaustedError("no route fits a budget of 6 steps"));
}

}  // namespace
}  // namespace anybit::model::train
