// The routes of least total penalty under a budget, exactly.
//
// Penalties belong to single layers; costs to a layer and the rung of its source. Sources form a tree, so dynamic
// programming from the leaves finds the optimum: for each layer, rung and whole number of cost steps the least penalty
// of the layers behind it.
#ifndef ANYBIT_MODEL_TRAIN_SEARCH_SOLVE_H_
#define ANYBIT_MODEL_TRAIN_SEARCH_SOLVE_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "model/train/search/route.h"

namespace anybit::model::train {

struct RouteProblem {
  LayerTree tree;
  int rungs = 0;
  std::vector<std::vector<double>> penalty;             // [layer][own rung]
  std::vector<std::vector<std::vector<int64_t>>> cost;  // [layer][own rung][rung of its source], steps >= 0
  int64_t budget = 0;                                   // steps, at most 100,000
};

struct SolvedRoute {
  Route route;
  double penalty = 0;
  int64_t cost = 0;  // steps, at most the budget
};

// Of each total cost within the budget the best route, of those the `count` with the least penalties, best first. So
// the first is optimal. ResourceExhausted where no route fits the budget. Takes steps^2 additions for each rung and
// branch of the tree, and memory for steps x rungs x layers numbers.
absl::StatusOr<std::vector<SolvedRoute>> BestRoutes(const RouteProblem& problem, int count);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_SEARCH_SOLVE_H_
