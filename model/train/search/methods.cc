#include "model/train/search/methods.h"

#include <algorithm>
#include <optional>
#include <random>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/random.h"
#include "model/train/search/solve.h"

namespace anybit::model::train {
namespace {

constexpr double kLeastShare = 0.95;  // of a budget, that a random route costs
constexpr int kDraws = 100'000;
constexpr int64_t kMostRoutes = 20'000;

// The loss of each layer alone at each rung, where all others are at `others`. [layer][rung]; 0 of tied layers.
absl::StatusOr<Penalties> LossesAlone(const SearchSpace& space, int others, const LossOf& loss) {
  const Route base = UniformRoute(space.tree, others);
  const absl::StatusOr<double> at_base = loss(base);
  if (!at_base.ok()) return at_base.status();
  Penalties losses(space.tree.layers(), std::vector<double>(space.rungs, *at_base));
  for (int layer = 0; layer < space.tree.layers(); ++layer) {
    if (space.tree.tied[layer]) continue;
    for (int rung = 0; rung < space.rungs; ++rung) {
      if (rung == others) continue;
      Route route = base;
      route[layer] = rung;
      TieLayers(space.tree, route);
      const absl::StatusOr<double> alone = loss(route);
      if (!alone.ok()) return alone.status();
      losses[layer][rung] = *alone;
    }
  }
  return losses;
}

// Makes the first rung's loss of each layer its zero.
Penalties FromFirstRung(Penalties losses) {
  for (std::vector<double>& of_layer : losses) {
    const double first = of_layer.front();
    for (double& value : of_layer) value -= first;
  }
  return losses;
}

// `route` with `layer` at the next rung that makes it cheaper, if there is one.
std::optional<Route> Cheaper(const SearchSpace& space, const Route& route, int layer) {
  const double cost = space.costs.Of(space.tree, route);
  for (int rung = route[layer] + 1; rung < space.rungs; ++rung) {
    Route lower = route;
    lower[layer] = rung;
    TieLayers(space.tree, lower);
    if (space.costs.Of(space.tree, lower) < cost) return lower;
  }
  return std::nullopt;
}

// The step of GreedyRoutes; nothing where no layer can become cheaper. Changes `at` to the loss there.
absl::StatusOr<std::optional<Route>> GreedyStep(const SearchSpace& space, const Route& route, const LossOf& loss,
                                                double& at) {
  std::optional<Route> best;
  double best_rise = 0, best_loss = at;
  const double cost = space.costs.Of(space.tree, route);
  for (int layer = 0; layer < space.tree.layers(); ++layer) {
    if (space.tree.tied[layer]) continue;
    const std::optional<Route> lower = Cheaper(space, route, layer);
    if (!lower.has_value()) continue;
    const absl::StatusOr<double> there = loss(*lower);
    if (!there.ok()) return there.status();
    const double rise = (*there - at) / (cost - space.costs.Of(space.tree, *lower));
    if (best.has_value() && rise >= best_rise) continue;
    best = lower;
    best_rise = rise;
    best_loss = *there;
  }
  at = best_loss;
  return best;
}

}  // namespace

absl::StatusOr<Penalties> RiseFromFirst(const SearchSpace& space, const LossOf& loss) {
  absl::StatusOr<Penalties> losses = LossesAlone(space, 0, loss);
  if (!losses.ok()) return losses.status();
  return FromFirstRung(*std::move(losses));
}

absl::StatusOr<Penalties> MeasuredSensitivity(const SearchSpace& space, const LossOf& loss) {
  absl::StatusOr<Penalties> penalties = RiseFromFirst(space, loss);
  if (!penalties.ok()) return penalties.status();
  absl::StatusOr<Penalties> losses = LossesAlone(space, space.rungs - 1, loss);
  if (!losses.ok()) return losses.status();
  const Penalties from_last = FromFirstRung(*std::move(losses));
  for (int layer = 0; layer < space.tree.layers(); ++layer) {
    for (int rung = 0; rung < space.rungs; ++rung) {
      (*penalties)[layer][rung] = ((*penalties)[layer][rung] + from_last[layer][rung]) / 2;
    }
  }
  return penalties;
}

absl::StatusOr<std::vector<Route>> RoutesOfLeastPenalty(const SearchSpace& space, const Penalties& penalties,
                                                        double budget, int count) {
  const absl::StatusOr<std::vector<SolvedRoute>> solved =
      BestRoutes(ProblemOf(space.tree, space.costs, penalties, budget), count);
  if (!solved.ok()) return solved.status();
  std::vector<Route> routes;
  for (const SolvedRoute& route : *solved) routes.push_back(route.route);
  return routes;
}

absl::StatusOr<std::vector<Route>> AllRoutes(const SearchSpace& space) {
  double count = 1;
  for (const bool tied : space.tree.tied) count *= tied ? 1 : space.rungs;
  if (count > kMostRoutes) {
    return absl::ResourceExhaustedError(
        absl::StrFormat("%.0f routes of %d rungs exceed %d; name fewer rungs", count, space.rungs, kMostRoutes));
  }
  // The last layers change fastest: an estimator then takes most layers from the route before.
  std::vector<Route> routes = {UniformRoute(space.tree, 0)};
  for (int layer = 0; layer < space.tree.layers(); ++layer) {
    if (space.tree.tied[layer]) continue;
    std::vector<Route> longer;
    for (const Route& route : routes) {
      for (int rung = 0; rung < space.rungs; ++rung) {
        longer.push_back(route);
        longer.back()[layer] = rung;
      }
    }
    routes = std::move(longer);
  }
  for (Route& route : routes) TieLayers(space.tree, route);
  return routes;
}

std::vector<Route> Within(const SearchSpace& space, std::span<const Route> routes, double budget) {
  std::vector<Route> within;
  for (const Route& route : routes) {
    if (space.costs.Of(space.tree, route) <= budget) within.push_back(route);
  }
  return within;
}

absl::StatusOr<Route> BestOf(std::span<const Route> routes, const LossOf& loss) {
  if (routes.empty()) return absl::NotFoundError("no route to choose from");
  const Route* best = nullptr;
  double least = 0;
  for (const Route& route : routes) {
    const absl::StatusOr<double> of_route = loss(route);
    if (!of_route.ok()) return of_route.status();
    if (best != nullptr && *of_route >= least) continue;
    best = &route;
    least = *of_route;
  }
  return *best;
}

absl::StatusOr<std::vector<Route>> GreedyRoutes(const SearchSpace& space, std::span<const double> budgets,
                                                const LossOf& loss) {
  Route route = UniformRoute(space.tree, 0);
  const absl::StatusOr<double> start = loss(route);
  if (!start.ok()) return start.status();
  double at = *start;
  std::vector<Route> found(budgets.size());
  size_t missing = budgets.size();
  while (true) {
    const double cost = space.costs.Of(space.tree, route);
    for (size_t i = 0; i < budgets.size(); ++i) {
      if (!found[i].empty() || cost > budgets[i]) continue;
      found[i] = route;
      --missing;
    }
    if (missing == 0) return found;
    absl::StatusOr<std::optional<Route>> next = GreedyStep(space, route, loss, at);
    if (!next.ok()) return next.status();
    if (!next->has_value()) {
      return absl::NotFoundError(absl::StrCat("greedy steps end at ", cost, " ", space.costs.unit,
                                              ", above the lowest budget, ",
                                              *std::min_element(budgets.begin(), budgets.end())));
    }
    route = **next;
  }
}

absl::StatusOr<std::vector<Route>> RandomRoutes(const SearchSpace& space, double budget, int count, uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto any = [&] { return static_cast<int>(UniformInt(random, 0, space.rungs - 1)); };
  std::set<Route> seen;
  std::vector<Route> routes;
  for (int draw = 0; draw < kDraws && static_cast<int>(routes.size()) < count; ++draw) {
    const int one = any(), other = any();
    const double share = UniformUnit(random);
    Route route;
    for (int layer = 0; layer < space.tree.layers(); ++layer) {
      const bool mixed = UniformUnit(random) < 2.0 / 3;
      const int of_two = UniformUnit(random) < share ? one : other;
      route.push_back(mixed ? of_two : any());
    }
    TieLayers(space.tree, route);
    const double cost = space.costs.Of(space.tree, route);
    if (cost > budget || cost < kLeastShare * budget || !seen.insert(route).second) continue;
    routes.push_back(route);
  }
  if (routes.empty()) {
    return absl::NotFoundError(absl::StrCat(kDraws, " random routes have none of ", kLeastShare * budget, " to ",
                                            budget, " ", space.costs.unit));
  }
  return routes;
}

}  // namespace anybit::model::train
