#include "model/train/search/solve.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"

namespace anybit::model::train {
namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();
constexpr int64_t kMaxSteps = 100'000;

// By number of cost steps: the least penalty.
using Front = std::vector<double>;

// One part of a sum of fronts: `front` joined to what came before, and how many steps it took of each total.
struct Join {
  int layer;
  std::vector<int32_t> steps;  // by total steps; -1: no such total
};

class Solver {
 public:
  explicit Solver(const RouteProblem& problem) : problem_(problem), steps_(problem.budget + 1) {
    const int layers = problem_.tree.layers();
    readers_.resize(layers + 1);
    for (int layer = 0; layer < layers; ++layer) readers_[Place(problem_.tree.source[layer])].push_back(layer);
    chosen_.assign(layers, std::vector(problem_.rungs, std::vector<int8_t>(steps_, -1)));
    joins_.assign(layers + 1, std::vector<std::vector<Join>>(problem_.rungs));
    below_.resize(layers + 1);
  }

  std::vector<SolvedRoute> Solve(int count) {
    for (int layer = problem_.tree.layers() - 1; layer >= 0; --layer) {
      for (int rung = 0; rung < problem_.rungs; ++rung) below_[Place(layer)].push_back(JoinReaders(layer, rung));
    }
    const Front total = JoinReaders(LayerTree::kImage, 0);
    std::vector<int64_t> costs;
    for (int64_t cost = 0; cost < steps_; ++cost) {
      if (total[cost] < kNever) costs.push_back(cost);
    }
    std::stable_sort(costs.begin(), costs.end(), [&](int64_t a, int64_t b) { return total[a] < total[b]; });
    costs.resize(std::min<size_t>(costs.size(), count));
    std::vector<SolvedRoute> solved;
    for (const int64_t cost : costs) {
      solved.push_back({.route = Route(problem_.tree.layers(), 0), .penalty = total[cost], .cost = cost});
      Trace(LayerTree::kImage, 0, cost, solved.back().route);
    }
    return solved;
  }

 private:
  static int Place(int layer) { return layer + 1; }  // the image has place 0

  // The least penalties of `layer` and of all behind it, by steps, where its source has rung `input`.
  Front Choose(int layer, int input) {
    Front best(steps_, kNever);
    std::vector<int8_t>& chosen = chosen_[layer][input];
    for (int rung = 0; rung < problem_.rungs; ++rung) {
      if (problem_.tree.tied[layer] && rung != input) continue;
      const int64_t own = problem_.cost[layer][rung][input];
      const double penalty = problem_.penalty[layer][rung];
      const Front& below = below_[Place(layer)][rung];
      for (int64_t steps = own; steps < steps_; ++steps) {
        const double sum = below[steps - own] + penalty;
        if (sum < best[steps]) {
          best[steps] = sum;
          chosen[steps] = static_cast<int8_t>(rung);
        }
      }
    }
    return best;
  }

  // The least penalties of all layers that read `layer`, and of those behind them, where it has `rung`.
  Front JoinReaders(int layer, int rung) {
    Front total(steps_, kNever);
    total[0] = 0;
    bool first = true;
    for (const int reader : readers_[Place(layer)]) {
      const Front front = Choose(reader, rung);
      Join join{.layer = reader, .steps = std::vector<int32_t>(steps_, -1)};
      Front joined(steps_, kNever);
      for (int64_t before = 0; before < (first ? 1 : steps_); ++before) {
        if (total[before] == kNever) continue;
        for (int64_t steps = 0; before + steps < steps_; ++steps) {
          const double sum = total[before] + front[steps];
          if (sum < joined[before + steps]) {
            joined[before + steps] = sum;
            join.steps[before + steps] = static_cast<int32_t>(steps);
          }
        }
      }
      joins_[Place(layer)][rung].push_back(std::move(join));
      total = std::move(joined);
      first = false;
    }
    return total;
  }

  // Sets the rungs of the layers behind `layer`, which cost `steps` together.
  void Trace(int layer, int rung, int64_t steps, Route& route) const {
    const std::vector<Join>& joins = joins_[Place(layer)][rung];
    for (auto join = joins.rbegin(); join != joins.rend(); ++join) {
      const int64_t own = join->steps[steps];
      const int chosen = chosen_[join->layer][rung][own];
      route[join->layer] = chosen;
      Trace(join->layer, chosen, own - problem_.cost[join->layer][chosen][rung], route);
      steps -= own;
    }
  }

  const RouteProblem& problem_;
  const int64_t steps_;
  std::vector<std::vector<int>> readers_;                 // by place
  std::vector<std::vector<std::vector<int8_t>>> chosen_;  // [layer][input rung][steps]: the own rung
  std::vector<std::vector<std::vector<Join>>> joins_;     // [place][rung]
  std::vector<std::vector<Front>> below_;                 // [place][rung]: of the layers behind
};

}  // namespace

absl::StatusOr<std::vector<SolvedRoute>> BestRoutes(const RouteProblem& problem, int count) {
  if (problem.budget < 0 || problem.budget > kMaxSteps) {
    return absl::InvalidArgumentError(absl::StrCat("budget of ", problem.budget, " steps is outside 0..", kMaxSteps));
  }
  std::vector<SolvedRoute> solved = Solver(problem).Solve(count);
  if (solved.empty()) {
    return absl::ResourceExhaustedError(absl::StrCat("no route fits a budget of ", problem.budget, " steps"));
  }
  return solved;
}

}  // namespace anybit::model::train
