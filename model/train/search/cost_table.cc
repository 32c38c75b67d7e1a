#include "model/train/search/cost_table.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "model/format/network_spec.h"

namespace anybit::model::train {
namespace {

constexpr int64_t kSteps = 4096;

// The fewest bits that hold codes of so many levels.
int BitsOf(int levels) { return std::bit_width(static_cast<unsigned>(levels - 1)); }

int WeightBits(const CodeRange& range) { return range.sign ? 1 : BitsOf(range.hi - range.lo + 1); }

using CostOf = std::function<double(int layer, int own, int input)>;

CostTable Fill(const std::string& unit, int layers, int rungs, const CostOf& cost) {
  CostTable table{.unit = unit};
  for (int layer = 0; layer < layers; ++layer) {
    auto& of_layer = table.layers.emplace_back();
    for (int own = 0; own < rungs; ++own) {
      std::vector<double>& of_rung = of_layer.emplace_back();
      for (int input = 0; input < rungs; ++input) of_rung.push_back(cost(layer, own, input));
    }
  }
  return table;
}

const LayerEpilogue& LayerAt(const Artifact& artifact, const Ladder& ladder, int rung, int layer) {
  return artifact.points[ladder.points[rung]].layers[layer];
}

// The extreme total of `layer` and the layers behind it for each rung of its source: the lowest, or with sign -1 the
// highest.
double Extreme(const CostTable& costs, const LayerTree& tree, int rungs, double sign) {
  std::vector<std::vector<double>> below(tree.layers(), std::vector<double>(rungs, 0.0));
  double total = costs.base;
  for (int layer = tree.layers() - 1; layer >= 0; --layer) {
    const int source = tree.source[layer];
    for (int input = 0; input < (source == LayerTree::kImage ? 1 : rungs); ++input) {
      double best = 0;
      bool found = false;
      for (int own = 0; own < rungs; ++own) {
        if (tree.tied[layer] && own != input) continue;
        const double cost = costs.layers[layer][own][input] + below[layer][own];
        if (!found || sign * cost < sign * best) best = cost;
        found = true;
      }
      (source == LayerTree::kImage ? total : below[source][input]) += best;
    }
  }
  return total;
}

}  // namespace

double CostTable::Of(const LayerTree& tree, const Route& route) const {
  double total = base;
  for (int layer = 0; layer < tree.layers(); ++layer)
    total += layers[layer][route[layer]][tree.InputRung(route, layer)];
  return total;
}

CostTable LatencyCost(const BatchLatency& latency) {
  return {.unit = "us", .base = latency.base_us, .layers = latency.layers};
}

CostTable ByteCost(const Artifact& artifact, const Ladder& ladder) {
  const NetworkPlan plan = *PlanNetwork(artifact.spec);
  return Fill("bytes", static_cast<int>(plan.layers.size()), ladder.size(), [&](int layer, int own, int) {
    const int bits = WeightBits(LayerAt(artifact, ladder, own, layer).weights);
    return static_cast<double>(plan.layer(layer).weights()) * bits / 8;
  });
}

CostTable BitProductCost(const Artifact& artifact, const Ladder& ladder) {
  const NetworkPlan plan = *PlanNetwork(artifact.spec);
  const LayerTree tree = TreeOf(plan);
  return Fill("bit products", tree.layers(), ladder.size(), [&](int layer, int own, int input) {
    const int source = tree.source[layer];
    const int highest = source == LayerTree::kImage ? 255 : LayerAt(artifact, ladder, input, source).highest_code;
    const int bits = WeightBits(LayerAt(artifact, ladder, own, layer).weights) * BitsOf(highest + 1);
    return static_cast<double>(plan.layer(layer).macs()) * bits;
  });
}

CostRange RangeOf(const CostTable& costs, const LayerTree& tree, int rungs) {
  return {.lowest = Extreme(costs, tree, rungs, 1), .highest = Extreme(costs, tree, rungs, -1)};
}

absl::StatusOr<std::vector<double>> ParseBudgets(const std::vector<std::string>& texts, const CostTable& costs,
                                                 const CostRange& range) {
  std::vector<double> budgets;
  for (const std::string& text : texts) {
    absl::string_view number = text;
    const bool share = absl::ConsumeSuffix(&number, "%");
    double budget = 0;
    if (!absl::SimpleAtod(number, &budget) || !std::isfinite(budget)) {
      return absl::InvalidArgumentError(absl::StrCat("budget '", text, "' is neither a number nor a percentage"));
    }
    if (share) budget = range.lowest + (range.highest - range.lowest) * budget / 100;
    if (budget < range.lowest || budget >= range.highest) {
      return absl::InvalidArgumentError(absl::StrCat("budget '", text, "' is ", budget, " ", costs.unit,
                                                     ", outside the range of routes, ", range.lowest, " to below ",
                                                     range.highest));
    }
    budgets.push_back(budget);
  }
  if (budgets.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("no budget; routes cost ", range.lowest, " to ", range.highest, " ", costs.unit));
  }
  return budgets;
}

RouteProblem ProblemOf(const LayerTree& tree, const CostTable& costs, std::vector<std::vector<double>> penalty,
                       double budget) {
  const double step = (budget - costs.base) / static_cast<double>(kSteps);
  RouteProblem problem{.tree = tree,
                       .rungs = static_cast<int>(penalty.front().size()),
                       .penalty = std::move(penalty),
                       .cost = {},
                       .budget = kSteps};
  for (const auto& layer : costs.layers) {
    auto& of_layer = problem.cost.emplace_back();
    for (const std::vector<double>& own : layer) {
      std::vector<int64_t>& of_rung = of_layer.emplace_back();
      // A cost beyond the budget is as good as any other. Differences below a millionth of a step are rounding.
      for (const double cost : own) {
        of_rung.push_back(static_cast<int64_t>(std::ceil(std::min(cost / step, 2.0 * kSteps) - 1e-6)));
      }
    }
  }
  return problem;
}

}  // namespace anybit::model::train
