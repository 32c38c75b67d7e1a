#include "model/train/search/search_run.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <ctime>
#include <iterator>
#include <memory>
#include <numeric>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/hash.h"
#include "base/random.h"
#include "model/data/read_rows.h"
#include "model/train/search/attribution.h"
#include "model/train/search/cost_table.h"
#include "model/train/search/journal.h"
#include "model/train/search/methods.h"
#include "model/train/search/review.h"
#include "model/train/search/route_estimator.h"
#include "model/train/trainer/progress.h"

namespace anybit::model::train {
namespace {

constexpr const char* kMethodNames[] = {"measured", "gmpq", "hawq", "greedy", "random", "exhaustive"};
constexpr const char* kCostNames[] = {"latency", "bytes", "bit_products"};
constexpr int kProgressInterval = 20;  // routes between lines where there is no terminal

template <class Kind, size_t n>
absl::StatusOr<Kind> ByName(const char* const (&names)[n], const char* what, const std::string& name) {
  const auto found = std::find(std::begin(names), std::end(names), name);
  if (found == std::end(names)) {
    return absl::InvalidArgumentError(absl::StrCat(what, " '", name, "' is none of ", absl::StrJoin(names, ", ")));
  }
  return static_cast<Kind>(found - std::begin(names));
}

absl::Status CheckCount(const char* what, int64_t count, int64_t limit) {
  if (count >= 1 && count <= limit) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(what, " ", count, " is outside 1..", limit));
}

absl::Status CheckRequest(const SearchRequest& request, const SearchData& data) {
  const int64_t rows = data.training.count();
  for (const auto& [what, count, limit] :
       {std::tuple("held-out images", request.held_out, rows - 1),
        std::tuple("calibration images", request.calibration, rows - request.held_out),
        std::tuple("routes to check again", int64_t{request.recheck}, int64_t{1000}),
        std::tuple("random routes", int64_t{request.random_routes}, int64_t{100'000})}) {
    if (absl::Status status = CheckCount(what, count, limit); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::StatusOr<CostTable> CostsOf(const Artifact& artifact, const Ladder& ladder, const SearchRequest& request,
                                  const LayerLatency* latency) {
  switch (request.cost) {
    case CostKind::kBytes: return ByteCost(artifact, ladder);
    case CostKind::kBitProducts: return BitProductCost(artifact, ladder);
    case CostKind::kLatency: break;
  }
  if (latency == nullptr) return absl::InvalidArgumentError("budgets of latency need measured layer latencies");
  const LayerTree tree = TreeOf(*PlanNetwork(artifact.spec));
  const absl::StatusOr<BatchLatency> batch = LatencyFor(*latency, tree, ladder, request.rows);
  if (!batch.ok()) return batch.status();
  return LatencyCost(*batch);
}

// Estimates and scores routes, and remembers the scores.
class Judge {
 public:
  Judge(const Artifact& artifact, const Ladder& ladder, const ExampleSet& held_out, RouteEstimator& estimator,
        Journal& journal, const KernelTable& kernels, int threads, ProgressLine& line)
      : artifact_(artifact),
        ladder_(ladder),
        held_out_(held_out),
        estimator_(estimator),
        journal_(journal),
        kernels_(kernels),
        threads_(threads),
        line_(line) {}

  int64_t routes() const { return routes_; }

  absl::StatusOr<Score> ScoreOf(const Route& route) {
    const std::string text = RouteText(ladder_, route);
    if (const Journal::Numbers* known = Known(text, "loss")) {
      return Score{.loss = known->at("loss"), .accuracy = known->at("accuracy")};
    }
    const absl::StatusOr<ArtifactPoint> point = estimator_.Estimate(route, "route");
    if (!point.ok()) return point.status();
    const absl::StatusOr<std::vector<Score>> scores = ScorePoints(artifact_, {*point}, held_out_, kernels_, threads_);
    if (!scores.ok()) return scores.status();
    const Score& score = scores->front();
    if (absl::Status s = journal_.Add(text, {{"loss", score.loss}, {"accuracy", score.accuracy}}); !s.ok()) return s;
    Show(absl::StrFormat("loss %.4f, top-1 %.2f%%", score.loss, 100 * score.accuracy));
    return score;
  }

  absl::StatusOr<double> LossOf(const Route& route) {
    const absl::StatusOr<Score> score = ScoreOf(route);
    if (!score.ok()) return score.status();
    return score->loss;
  }

  // 1 - the rank correlation of the route's class activation maps with those of the first rung.
  absl::StatusOr<double> AttributionLossOf(const Route& route) {
    const std::string text = RouteText(ladder_, route);
    if (const Journal::Numbers* known = Known(text, "attribution")) return known->at("attribution");
    if (!reference_.has_value()) {
      absl::StatusOr<AttributionMaps> maps = MapsAt(UniformRoute(estimator_.tree(), 0), {});
      if (!maps.ok()) return maps.status();
      reference_ = *std::move(maps);
    }
    const absl::StatusOr<AttributionMaps> maps = MapsAt(route, reference_->classes);
    if (!maps.ok()) return maps.status();
    const double loss = 1 - RankCorrelation(*reference_, *maps);
    if (absl::Status status = journal_.Add(text, {{"attribution", loss}}); !status.ok()) return status;
    Show(absl::StrFormat("1 - rank correlation %.4f", loss));
    return loss;
  }

 private:
  const Journal::Numbers* Known(const std::string& route, const char* number) const {
    const Journal::Numbers* known = journal_.Find(route);
    return known != nullptr && known->contains(number) ? known : nullptr;
  }

  absl::StatusOr<AttributionMaps> MapsAt(const Route& route, std::span<const int> classes) {
    const absl::StatusOr<ArtifactPoint> point = estimator_.Estimate(route, "route");
    if (!point.ok()) return point.status();
    return MapsOf(estimator_.plan(), artifact_.store.back(), point->layers.back(), estimator_.last_codes(), classes);
  }

  void Show(const std::string& text) {
    ++routes_;
    line_.Show(routes_, [&] { return text; });
  }

  const Artifact& artifact_;
  const Ladder& ladder_;
  const ExampleSet& held_out_;
  RouteEstimator& estimator_;
  Journal& journal_;
  const KernelTable& kernels_;
  const int threads_;
  ProgressLine& line_;
  std::optional<AttributionMaps> reference_;
  int64_t routes_ = 0;
};

// An upper bound of the routes that a search scores, for its progress.
int64_t PlannedRoutes(const SearchRequest& request, const SearchSpace& space, size_t budgets) {
  const int64_t layers = space.tree.layers() - std::count(space.tree.tied.begin(), space.tree.tied.end(), true);
  const int64_t alone = layers * (space.rungs - 1) + 1;
  const auto of_budgets = static_cast<int64_t>(budgets);
  switch (request.method) {
    case SearchMethod::kMeasured: return 2 * alone + of_budgets * request.recheck + space.rungs;
    case SearchMethod::kAttribution: return alone + of_budgets * request.recheck + space.rungs;
    case SearchMethod::kCurvature: return of_budgets * request.recheck + space.rungs;
    case SearchMethod::kGreedy: return layers * alone + space.rungs;
    case SearchMethod::kRandom: return of_budgets * request.random_routes + space.rungs;
    case SearchMethod::kExhaustive:
      return static_cast<int64_t>(std::min(1e9, std::pow(space.rungs, static_cast<double>(layers))));
  }
  return 1;
}

// The penalties of a method that has some.
absl::StatusOr<Penalties> PenaltiesOf(SearchMethod method, const SearchSpace& space, const Artifact& artifact,
                                      const Ladder& ladder, const HessianTraces* traces, Judge& judge) {
  switch (method) {
    case SearchMethod::kMeasured:
      return MeasuredSensitivity(space, [&](const Route& route) { return judge.LossOf(route); });
    case SearchMethod::kAttribution:
      return RiseFromFirst(space, [&](const Route& route) { return judge.AttributionLossOf(route); });
    case SearchMethod::kCurvature:
      if (traces == nullptr) return absl::InvalidArgumentError("method 'hawq' needs traces of the Hessian");
      return CurvaturePenalties(artifact, space.tree, ladder, *traces);
    case SearchMethod::kGreedy:
    case SearchMethod::kRandom:
    case SearchMethod::kExhaustive: break;
  }
  return Penalties();
}

// The route for each budget, by the penalties of methods that have some.
absl::StatusOr<std::vector<Route>> Choose(const SearchRequest& request, const SearchSpace& space,
                                          std::span<const double> budgets, Judge& judge, const Penalties& penalties) {
  const auto loss = [&](const Route& route) { return judge.LossOf(route); };
  if (request.method == SearchMethod::kGreedy) return GreedyRoutes(space, budgets, loss);
  std::vector<Route> all;
  if (request.method == SearchMethod::kExhaustive) {
    absl::StatusOr<std::vector<Route>> routes = AllRoutes(space);
    if (!routes.ok()) return routes.status();
    all = *std::move(routes);
  }
  std::vector<Route> chosen;
  for (size_t i = 0; i < budgets.size(); ++i) {
    const absl::StatusOr<std::vector<Route>> routes =
        request.method == SearchMethod::kRandom
            ? RandomRoutes(space, budgets[i], request.random_routes, MixSeed(request.seed, i))
        : request.method == SearchMethod::kExhaustive
            ? Within(space, all, budgets[i])
            : RoutesOfLeastPenalty(space, penalties, budgets[i], request.recheck);
    if (!routes.ok()) return routes.status();
    absl::StatusOr<Route> best = BestOf(*routes, loss);
    if (!best.ok()) return best.status();
    chosen.push_back(*std::move(best));
  }
  return chosen;
}

uint64_t HashOfFloats(std::span<const float> values, uint64_t hash) {
  for (const float value : values) hash = Fnv1aOfWord(std::bit_cast<uint32_t>(value), hash);
  return hash;
}

// Of all that a route's numbers depend on: the store's codes and the layers at the rungs. Other points, which a search
// may have appended, do not count.
uint64_t HashOf(const Artifact& artifact, const Ladder& ladder) {
  uint64_t hash = kFnv1aOfNothing;
  for (const LayerStore& store : artifact.store) {
    hash = Fnv1a({reinterpret_cast<const char*>(store.q8.data()), store.q8.size()}, hash);
  }
  for (const int point : ladder.points) {
    for (const LayerEpilogue& layer : artifact.points[point].layers) {
      for (const int number : {layer.weights.step, layer.weights.lo, layer.weights.hi, int{layer.weights.sign},
                               layer.highest_code, layer.zero_code}) {
        hash = Fnv1aOfWord(static_cast<uint64_t>(number), hash);
      }
      hash = HashOfFloats(layer.bias, HashOfFloats(layer.scale, hash));
      hash = Fnv1aOfWord(std::bit_cast<uint32_t>(layer.residual_scale), hash);
      hash = Fnv1a({reinterpret_cast<const char*>(layer.table.data()), layer.table.size()}, hash);
    }
  }
  return hash;
}

// What the numbers of a journal depend on.
std::string IdentityOf(const Artifact& artifact, const Ladder& ladder, const SearchRequest& request,
                       const ExampleSet& training) {
  return absl::StrCat("network ", artifact.spec.name(), " ", absl::Hex(HashOf(artifact, ladder), absl::kZeroPad16),
                      ", rungs ", absl::StrJoin(ladder.names, ","), ", ", request.calibration, " calibration and ",
                      request.held_out, " held-out images of ", training.count());
}

absl::StatusOr<std::vector<uint8_t>> PixelsOf(const ExampleSet& rows) {
  std::vector<uint8_t> pixels(rows.count() * rows.shape().elements());
  if (absl::Status status = ReadRows(rows, 0, rows.count(), pixels); !status.ok()) return status;
  return pixels;
}

// `rows` in memory where they take at most a gigabyte: each score reads all of them, and drawing or decoding a row may
// take longer than running it.
absl::StatusOr<std::unique_ptr<ExampleSet>> Kept(const Subset& rows) {
  constexpr int64_t kMostBytes = int64_t{1} << 30;
  if (rows.count() * rows.shape().elements() > kMostBytes) {
    std::vector<int64_t> all(rows.count());
    std::iota(all.begin(), all.end(), 0);
    return std::make_unique<Subset>(rows, std::move(all));
  }
  absl::StatusOr<std::vector<uint8_t>> pixels = PixelsOf(rows);
  if (!pixels.ok()) return pixels.status();
  std::vector<uint16_t> labels;
  for (int64_t row = 0; row < rows.count(); ++row) labels.push_back(static_cast<uint16_t>(rows.label(row)));
  return std::make_unique<MemoryExamples>(rows.shape(), std::move(labels), *std::move(pixels));
}

// Scores all points of the report on the test rows, and gives the new points their accuracies.
absl::Status Test(const SearchData& data, const Ladder& ladder, const KernelTable& kernels, int threads,
                  SearchResult& result) {
  const size_t first_new = result.artifact.points.size() - (result.report.points.size() - ladder.size());
  std::vector<ArtifactPoint> points;
  for (const int point : ladder.points) points.push_back(result.artifact.points[point]);
  points.insert(points.end(), result.artifact.points.begin() + static_cast<ptrdiff_t>(first_new),
                result.artifact.points.end());
  if (data.test != nullptr) {
    const absl::StatusOr<std::vector<Score>> scores =
        ScorePoints(result.artifact, points, *data.test, kernels, threads);
    if (!scores.ok()) return scores.status();
    for (size_t i = 0; i < points.size(); ++i) {
      result.report.points[i].test = (*scores)[i].accuracy;
      result.report.points[i].right = (*scores)[i].right;
    }
    result.report.test_images = data.test->count();
  }
  for (size_t i = ladder.size(); i < points.size(); ++i) {
    ArtifactPoint& point = result.artifact.points[first_new + i - ladder.size()];
    point.info.accuracy = AccuracyOf(result.report.points[i]);
    point.accuracy_images = data.test != nullptr ? result.report.test_images : result.report.held_out_images;
  }
  return absl::OkStatus();
}

// Appends the uniform points, then the chosen routes, to the report, and the routes to the artifact.
absl::Status AddPoints(const std::vector<Route>& chosen, std::span<const double> budgets, const SearchRequest& request,
                       const SearchSpace& space, const Ladder& ladder, RouteEstimator& estimator, Judge& judge,
                       SearchResult& result) {
  std::vector<Route> routes;
  routes.reserve(space.rungs + chosen.size());
  for (int rung = 0; rung < space.rungs; ++rung) routes.push_back(UniformRoute(space.tree, rung));
  routes.insert(routes.end(), chosen.begin(), chosen.end());
  for (size_t i = 0; i < routes.size(); ++i) {
    const absl::StatusOr<Score> score = judge.ScoreOf(routes[i]);
    if (!score.ok()) return score.status();
    SearchedPoint& point = result.report.points.emplace_back();
    point.route = RouteText(ladder, routes[i]);
    point.cost = space.costs.Of(space.tree, routes[i]);
    point.held_out = *score;
    if (i < ladder.names.size()) {
      point.name = ladder.names[i];
      continue;
    }
    point.budget = budgets[i - ladder.names.size()];
    point.name = absl::StrCat(request.name, i - ladder.names.size() + 1);
    const absl::StatusOr<ArtifactPoint> added = estimator.Estimate(routes[i], point.name);
    if (!added.ok()) return added.status();
    result.artifact.points.push_back(*added);
  }
  return ValidateArtifact(result.artifact);
}

}  // namespace

absl::StatusOr<SearchMethod> SearchMethodByName(const std::string& name) {
  return ByName<SearchMethod>(kMethodNames, "method", name);
}
std::string NameOf(SearchMethod method) { return kMethodNames[static_cast<int>(method)]; }

absl::StatusOr<CostKind> CostKindByName(const std::string& name) { return ByName<CostKind>(kCostNames, "cost", name); }

absl::StatusOr<SearchResult> RunSearch(const Artifact& artifact, const SearchRequest& request, const SearchData& data,
                                       const SearchMeasurements& measurements, const KernelTable& kernels,
                                       std::ostream& progress, bool live) {
  if (absl::Status status = ValidateArtifact(artifact); !status.ok()) return status;
  if (absl::Status status = CheckRequest(request, data); !status.ok()) return status;
  const absl::StatusOr<Ladder> ladder = FindRungs(artifact, request.rungs);
  if (!ladder.ok()) return ladder.status();
  absl::StatusOr<CostTable> costs = CostsOf(artifact, *ladder, request, measurements.latency);
  if (!costs.ok()) return costs.status();
  const SearchSpace space{
      .tree = TreeOf(*PlanNetwork(artifact.spec)), .rungs = ladder->size(), .costs = *std::move(costs)};
  const absl::StatusOr<std::vector<double>> budgets =
      ParseBudgets(request.budgets, space.costs, RangeOf(space.costs, space.tree, space.rungs));
  if (!budgets.ok()) return budgets.status();
  const absl::StatusOr<std::unique_ptr<Journal>> journal =
      Journal::Open(request.journal, IdentityOf(artifact, *ladder, request, data.training), request.resume);
  if (!journal.ok()) return journal.status();

  const std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();
  const std::clock_t processor_start = std::clock();
  const HeldOutSplit split = HoldOut(data.training, request.held_out);
  const absl::StatusOr<std::vector<uint8_t>> pixels = PixelsOf(HoldOut(split.training, request.calibration).held_out);
  if (!pixels.ok()) return pixels.status();
  const absl::StatusOr<std::unique_ptr<RouteEstimator>> estimator =
      RouteEstimator::Create(artifact, *ladder, *pixels, kernels, request.threads);
  if (!estimator.ok()) return estimator.status();
  SearchResult result{.artifact = artifact,
                      .report = {.method = NameOf(request.method),
                                 .network = artifact.spec.name(),
                                 .unit = space.costs.unit,
                                 .seed = request.seed,
                                 .calibration_images = request.calibration,
                                 .held_out_images = request.held_out,
                                 .resumed = (*journal)->size(),
                                 .layers = space.tree.names}};
  const int64_t planned = PlannedRoutes(request, space, budgets->size());
  ProgressLine line(progress, live, kProgressInterval, std::max(planned, (*journal)->size() + 1), 0);
  const absl::StatusOr<std::unique_ptr<ExampleSet>> held_out = Kept(split.held_out);
  if (!held_out.ok()) return held_out.status();
  Judge judge(artifact, *ladder, **held_out, **estimator, **journal, kernels, request.threads, line);
  absl::StatusOr<Penalties> penalties =
      PenaltiesOf(request.method, space, artifact, *ladder, measurements.traces, judge);
  if (!penalties.ok()) return penalties.status();
  const absl::StatusOr<std::vector<Route>> chosen = Choose(request, space, *budgets, judge, *penalties);
  if (!chosen.ok()) return chosen.status();
  absl::Status added = AddPoints(*chosen, *budgets, request, space, *ladder, **estimator, judge, result);
  if (!added.ok()) return added;
  result.report.penalties = *std::move(penalties);
  Review(**journal, space, *ladder, result.report);
  result.report.routes = judge.routes();
  result.report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  result.report.processor_seconds = static_cast<double>(std::clock() - processor_start) / CLOCKS_PER_SEC;
  if (absl::Status status = Test(data, *ladder, kernels, request.threads, result); !status.ok()) return status;
  return result;
}

}  // namespace anybit::model::train
