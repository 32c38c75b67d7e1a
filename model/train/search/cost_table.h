// What a route costs: measured latency, bytes of weights, or products of bits; and budgets of it.
#ifndef ANYBIT_MODEL_TRAIN_SEARCH_COST_TABLE_H_
#define ANYBIT_MODEL_TRAIN_SEARCH_COST_TABLE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/format/artifact_contents.h"
#include "model/train/search/layer_latency.h"
#include "model/train/search/route.h"
#include "model/train/search/solve.h"

namespace anybit::model::train {

struct CostTable {
  std::string unit;                                      // "us", "bytes", "bit products"
  double base = 0;                                       // of every route
  std::vector<std::vector<std::vector<double>>> layers;  // [layer][own rung][rung of its source]

  double Of(const LayerTree& tree, const Route& route) const;
};

CostTable LatencyCost(const BatchLatency& latency);

// Of the weights as codes of the fewest bits that hold the layer's range. The store itself has 8 bits.
CostTable ByteCost(const Artifact& artifact, const Ladder& ladder);

// Multiplications of one row times the bits of both operands: what papers count as BOPs.
CostTable BitProductCost(const Artifact& artifact, const Ladder& ladder);

// The lowest and the highest cost of any route.
struct CostRange {
  double lowest = 0, highest = 0;
};
CostRange RangeOf(const CostTable& costs, const LayerTree& tree, int rungs);

// Each text is a number in the table's unit, or with a final % a share of the way from the lowest cost to the highest.
// InvalidArgument, naming the value and the range, for another text or a budget that no route, or every route, keeps.
absl::StatusOr<std::vector<double>> ParseBudgets(const std::vector<std::string>& texts, const CostTable& costs,
                                                 const CostRange& range);

// The problem in steps of 1/4096 of the budget, each cost rounded up.
RouteProblem ProblemOf(const LayerTree& tree, const CostTable& costs, std::vector<std::vector<double>> penalty,
                       double budget);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_SEARCH_COST_TABLE_H_
