// The searches: which routes to score, and which to choose under a budget.
//
// They know a network only as a tree of layers, costs and a function that scores a route, which is expensive.
#ifndef ANYBIT_MODEL_TRAIN_SEARCH_METHODS_H_
#define ANYBIT_MODEL_TRAIN_SEARCH_METHODS_H_

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "model/train/search/cost_table.h"
#include "model/train/search/route.h"

namespace anybit::model::train {

struct SearchSpace {
  LayerTree tree;
  int rungs = 0;  // the first is the dearest
  CostTable costs;
};

// The loss of a route on held-out rows, or another number that is better where it is lower.
using LossOf = std::function<absl::StatusOr<double>(const Route&)>;

// [layer][rung], 0 at the first rung.
using Penalties = std::vector<std::vector<double>>;

// How much the loss rises with one layer alone at each other rung: from all layers at the first rung. Layers whose rung
// is tied have none. Scores layers x (rungs - 1) + 1 routes.
absl::StatusOr<Penalties> RiseFromFirst(const SearchSpace& space, const LossOf& loss);

// The mean of RiseFromFirst and of what the loss loses when one layer alone leaves the last rung, where all others are.
absl::StatusOr<Penalties> MeasuredSensitivity(const SearchSpace& space, const LossOf& loss);

// The routes of least total penalty within `budget`, best first, at most `count`. ResourceExhausted where rounding
// leaves none.
absl::StatusOr<std::vector<Route>> RoutesOfLeastPenalty(const SearchSpace& space, const Penalties& penalties,
                                                        double budget, int count);

// All routes. ResourceExhausted, naming their number and the limit, where there are more than 20,000.
absl::StatusOr<std::vector<Route>> AllRoutes(const SearchSpace& space);

// Those of `routes` that cost at most `budget`.
std::vector<Route> Within(const SearchSpace& space, std::span<const Route> routes, double budget);

// The one of `routes` with the least loss; the first of equal ones.
absl::StatusOr<Route> BestOf(std::span<const Route> routes, const LossOf& loss);

// From all layers at the first rung, step by step: of all layers, each one rung cheaper, the one whose loss rises least
// for what it saves. For each of `budgets` the first route within it. Scores up to layers routes a step.
absl::StatusOr<std::vector<Route>> GreedyRoutes(const SearchSpace& space, std::span<const double> budgets,
                                                const LossOf& loss);

// Up to `count` different routes that cost between 95 and 100 per cent of `budget`. A route mixes two rungs in some
// proportion, with other rungs at a third of its layers. NotFound where a hundred thousand draws hit none.
absl::StatusOr<std::vector<Route>> RandomRoutes(const SearchSpace& space, double budget, int count, uint64_t seed);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_SEARCH_METHODS_H_
