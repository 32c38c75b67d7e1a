#include "model/train/search/review.h"

#include <vector>

#include "model/train/search/rank_agreement.h"

namespace anybit::model::train {
namespace {

struct KnownRoute {
  Route route;
  double cost = 0, loss = 0, accuracy = 0;
};

std::vector<KnownRoute> KnownRoutes(const Journal& journal, const SearchSpace& space, const Ladder& ladder) {
  std::vector<KnownRoute> known;
  for (const auto& [text, numbers] : journal.all()) {
    const absl::StatusOr<Route> route = ParseRoute(space.tree, ladder, text);
    if (!route.ok() || !numbers.contains("loss") || !numbers.contains("accuracy")) continue;
    known.push_back({.route = *route,
                     .cost = space.costs.Of(space.tree, *route),
                     .loss = numbers.at("loss"),
                     .accuracy = numbers.at("accuracy")});
  }
  return known;
}

// Whether at least two free layers differ from every uniform route.
bool IsMixed(const SearchSpace& space, const Route& route) {
  for (int rung = 0; rung < space.rungs; ++rung) {
    int differ = 0;
    for (int layer = 0; layer < space.tree.layers(); ++layer) {
      if (!space.tree.tied[layer] && route[layer] != rung) ++differ;
    }
    if (differ < 2) return false;
  }
  return true;
}

}  // namespace

void Review(const Journal& journal, const SearchSpace& space, const Ladder& ladder, SearchReport& report) {
  const std::vector<KnownRoute> known = KnownRoutes(journal, space, ladder);
  for (SearchedPoint& point : report.points) {
    if (!point.budget.has_value()) continue;
    BestKnown best;
    for (const KnownRoute& route : known) {
      if (route.cost > *point.budget) continue;
      if (best.routes == 0 || route.loss < best.loss) {
        best.loss = route.loss;
        best.accuracy = route.accuracy;
      }
      ++best.routes;
    }
    if (best.routes > 0) point.best = best;
  }
  if (report.penalties.empty()) return;
  std::vector<double> sums, losses;
  for (const KnownRoute& route : known) {
    if (!IsMixed(space, route.route)) continue;
    double& sum = sums.emplace_back(0);
    for (int layer = 0; layer < space.tree.layers(); ++layer) sum += report.penalties[layer][route.route[layer]];
    losses.push_back(route.loss);
  }
  if (sums.size() >= 2) {
    report.agreement = {.routes = static_cast<int64_t>(sums.size()), .tau = KendallTau(sums, losses)};
  }
}

}  // namespace anybit::model::train
