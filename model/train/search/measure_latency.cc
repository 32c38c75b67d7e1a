#include "model/train/search/measure_latency.h"

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/random.h"
#include "base/statistics.h"
#include "model/engine/packed_network.h"

namespace anybit::model::train {
namespace {

using std::chrono::nanoseconds;

constexpr int kMaxRungs = 8;    // of which the pairs fit one artifact
constexpr int kMaxPoints = 64;  // of an artifact
constexpr int kMinTurns = 2;    // of each network
// With a single run of 150 us that did not count, sums differed from whole runs by up to 20 per cent (Ice Lake).
constexpr nanoseconds kHalfTurn = std::chrono::milliseconds(1);

double Microseconds(nanoseconds time) { return std::chrono::duration<double, std::micro>(time).count(); }

Artifact WithPoints(const Artifact& artifact, std::vector<ArtifactPoint> points) {
  return {.spec = artifact.spec, .store = artifact.store, .points = std::move(points)};
}

// By pair (first, second): the rung of layers at an even distance from the image, and that of the others.
std::vector<Route> ProbeRoutes(const LayerTree& tree, int rungs) {
  std::vector<int> distance;
  distance.reserve(tree.layers());
  for (int layer = 0; layer < tree.layers(); ++layer) {
    distance.push_back(tree.source[layer] == LayerTree::kImage ? 0 : distance[tree.source[layer]] + 1);
  }
  std::vector<Route> routes;
  for (int first = 0; first < rungs; ++first) {
    for (int second = 0; second < rungs; ++second) {
      Route& route = routes.emplace_back();
      for (const int steps : distance) route.push_back(steps % 2 == 0 ? first : second);
      TieLayers(tree, route);
    }
  }
  return routes;
}

std::vector<Route> RoutesToCheck(const LayerTree& tree, int rungs, int random_routes, uint64_t seed) {
  std::vector<Route> routes;
  routes.reserve(rungs + random_routes);
  for (int rung = 0; rung < rungs; ++rung) routes.push_back(UniformRoute(tree, rung));
  std::mt19937_64 random(seed);
  for (int i = 0; i < random_routes; ++i) {
    Route& route = routes.emplace_back();
    for (int layer = 0; layer < tree.layers(); ++layer) {
      route.push_back(static_cast<int>(UniformInt(random, 0, rungs - 1)));
    }
    TieLayers(tree, route);
  }
  return routes;
}

std::vector<ArtifactPoint> Compose(const Artifact& artifact, const Ladder& ladder, const std::vector<Route>& routes) {
  std::vector<ArtifactPoint> points;
  points.reserve(routes.size());
  for (const Route& route : routes) {
    points.push_back(ComposeRoute(artifact, ladder, route, absl::StrCat("r", points.size())));
  }
  return points;
}

// Images without a period that a kernel's speed could follow, and what else a run needs.
struct Batch {
  Batch(const PackedNetwork& network, int rows)
      : images(rows * network.description().input.elements),
        logits(rows * network.description().output.elements),
        scratch(network.MakeScratch(rows)) {
    std::mt19937_64 random(1);
    for (uint8_t& code : images) code = static_cast<uint8_t>(random());
  }

  std::vector<uint8_t> images;
  std::vector<float> logits;
  std::unique_ptr<AdaptiveNetwork::Scratch> scratch;
};

// Calls run(network, counts) for each of `networks` in turn until `duration` has passed. Of a network's turn the first
// half does not count: it brings the weights into the caches, as the batch before does in service.
absl::Status TakeTurns(int networks, nanoseconds duration, const MonotonicClock& now,
                       const std::function<absl::Status(int network, bool counts)>& run) {
  const nanoseconds end = now() + duration;
  for (int round = 0; round < kMinTurns || now() < end; ++round) {
    for (int network = 0; network < networks; ++network) {
      for (const bool counts : {false, true}) {
        const nanoseconds half = now() + kHalfTurn;
        do {
          if (absl::Status status = run(network, counts); !status.ok()) return status;
        } while (now() < half);
      }
    }
  }
  return absl::OkStatus();
}

// Runs a batch, and adds its time to `times` if it counts.
absl::Status RunWhole(const PackedNetwork& network, int point, Batch& batch, bool counts, const MonotonicClock& now,
                      std::vector<double>& times) {
  const nanoseconds start = now();
  absl::Status status = network.Run(ToPointId(point), batch.images, batch.logits, *batch.scratch);
  if (counts) times.push_back(Microseconds(now() - start));
  return status;
}

absl::Status CheckRows(const std::vector<int>& rows) {
  if (rows.empty()) return absl::InvalidArgumentError("no batch size to measure");
  for (const int count : rows) {
    if (count < 1 || count > 1024) {
      return absl::InvalidArgumentError(absl::StrCat("batch of ", count, " is outside 1..1024"));
    }
  }
  return absl::OkStatus();
}

class Measurement {
 public:
  Measurement(const Artifact& artifact, const Ladder& ladder, const KernelTable& kernels,
              const MeasureLatencyOptions& options, const MonotonicClock& now)
      : artifact_(artifact),
        ladder_(ladder),
        kernels_(kernels),
        options_(options),
        now_(now),
        tree_(TreeOf(*PlanNetwork(artifact.spec))),
        probes_(ProbeRoutes(tree_, ladder.size())) {}

  absl::StatusOr<LayerLatency> Run() {
    LayerLatency latency{.network = artifact_.spec.name(),
                         .isa = kernels_.name,
                         .processor = {},
                         .rungs = ladder_.names,
                         .layers = tree_.names};
    absl::StatusOr<std::unique_ptr<PackedNetwork>> probes =
        PackedNetwork::Create(WithPoints(artifact_, Compose(artifact_, ladder_, probes_)), kernels_);
    if (!probes.ok()) return probes.status();
    const int largest = *std::max_element(options_.rows.begin(), options_.rows.end());
    (*probes)->MeasureChoices(largest, options_.choose, now_, {});
    const std::vector<Route> routes = RoutesToCheck(tree_, ladder_.size(), options_.check_routes, options_.seed);
    absl::StatusOr<std::unique_ptr<PackedNetwork>> whole =
        PackedNetwork::Create(WithPoints(artifact_, Compose(artifact_, ladder_, routes)), kernels_);
    if (!whole.ok()) return whole.status();
    if (absl::Status s = (*whole)->SetChoices(ChoicesOf(routes, (*probes)->choices())); !s.ok()) return s;
    for (const int rows : options_.rows) {
      BatchLatency batch{.rows = rows};
      if (absl::Status status = MeasureBatch(**probes, **whole, routes, batch); !status.ok()) return status;
      latency.batches.push_back(std::move(batch));
    }
    return latency;
  }

 private:
  // The probe with rung `own` at `layer` and `input` at its source.
  size_t ProbeOf(int layer, int own, int input) const {
    for (size_t probe = 0; probe < probes_.size(); ++probe) {
      const bool reads = tree_.source[layer] == LayerTree::kImage || tree_.InputRung(probes_[probe], layer) == input;
      if (probes_[probe][layer] == own && reads) return probe;
    }
    return 0;  // not reached: every pair has a probe
  }

  // Each layer of a route runs with the kernels that were chosen for its pair of rungs.
  KernelChoices ChoicesOf(const std::vector<Route>& routes, const KernelChoices& of_probes) const {
    std::map<std::pair<std::string, std::string>, AlgorithmNames> known;
    for (const LayerChoice& choice : of_probes.layers) known[{choice.point, choice.node}] = choice.algorithms;
    KernelChoices choices{.isa = of_probes.isa};
    for (size_t i = 0; i < routes.size(); ++i) {
      for (int layer = 0; layer < tree_.layers(); ++layer) {
        const size_t probe = ProbeOf(layer, routes[i][layer], tree_.InputRung(routes[i], layer));
        const auto found = known.find({absl::StrCat("r", probe), tree_.names[layer]});
        if (found == known.end()) continue;  // no choice: the last layer
        choices.layers.push_back(
            {.point = absl::StrCat("r", i), .node = tree_.names[layer], .algorithms = found->second});
      }
    }
    return choices;
  }

  // Probes, node by node and at once, and whole routes take turns, so that a change of the processor's state falls on
  // all of them.
  absl::Status MeasureBatch(const PackedNetwork& probes, const PackedNetwork& whole, const std::vector<Route>& routes,
                            BatchLatency& batch) {
    Batch of_probes(probes, batch.rows), of_whole(whole, batch.rows);
    const int rungs = ladder_.size(), probe_count = static_cast<int>(probes_.size());
    std::vector<std::vector<double>> layer_times(tree_.layers() * rungs * rungs);
    std::vector<std::vector<double>> probe_times(probe_count), route_times(routes.size());
    const auto run = [&](int network, bool counts) {
      if (network < probe_count) return RunProbe(probes, network, counts, of_probes, layer_times);
      network -= probe_count;
      if (network < probe_count) return RunWhole(probes, network, of_probes, counts, now_, probe_times[network]);
      network -= probe_count;
      return RunWhole(whole, network, of_whole, counts, now_, route_times[network]);
    };
    const int networks = 2 * probe_count + static_cast<int>(routes.size());
    if (absl::Status status = TakeTurns(networks, options_.each, now_, run); !status.ok()) return status;
    SetLayers(layer_times, batch);
    double beyond = 0;
    for (int probe = 0; probe < probe_count; ++probe) {
      beyond += Median(probe_times[probe]) - batch.Predict(tree_, probes_[probe]);
    }
    batch.base_us = beyond / probe_count;
    for (size_t i = 0; i < routes.size(); ++i) {
      batch.whole.push_back({.route = RouteText(ladder_, routes[i]),
                             .measured_us = Median(route_times[i]),
                             .predicted_us = batch.Predict(tree_, routes[i])});
    }
    return absl::OkStatus();
  }

  size_t PlaceOf(int layer, int own, int input) const {
    return (layer * ladder_.size() + own) * ladder_.size() + input;
  }

  // A pool's time belongs to the layer that is computed next.
  absl::Status RunProbe(const PackedNetwork& network, int probe, bool counts, Batch& rows,
                        std::vector<std::vector<double>>& times) const {
    std::vector<nanoseconds> of_layer(tree_.layers());
    nanoseconds last = now_(), pools{};
    const auto after_node = [&](const PlannedNode& node, int) {
      const nanoseconds time = now_();
      (node.layer < 0 ? pools : of_layer[node.layer]) += time - last;
      last = time;
      if (node.layer >= 0) of_layer[node.layer] += std::exchange(pools, nanoseconds(0));
    };
    absl::Status status = network.RunNodes(ToPointId(probe), rows.images, rows.logits, *rows.scratch, after_node);
    for (int layer = 0; counts && layer < tree_.layers(); ++layer) {
      const int own = probes_[probe][layer], input = tree_.InputRung(probes_[probe], layer);
      times[PlaceOf(layer, own, input)].push_back(Microseconds(of_layer[layer]));
    }
    return status;
  }

  void SetLayers(std::vector<std::vector<double>>& times, BatchLatency& batch) const {
    const int rungs = ladder_.size();
    batch.layers.assign(tree_.layers(), std::vector(rungs, std::vector(rungs, 0.0)));
    for (int layer = 0; layer < tree_.layers(); ++layer) {
      for (int own = 0; own < rungs; ++own) {
        for (int input = 0; input < rungs; ++input) {
          // Image codes have the same range at every rung.
          const int from = tree_.source[layer] == LayerTree::kImage ? 0 : input;
          std::vector<double>& of_pair = times[PlaceOf(layer, own, from)];
          if (!of_pair.empty()) batch.layers[layer][own][input] = Median(of_pair);
        }
      }
    }
  }

  const Artifact& artifact_;
  const Ladder& ladder_;
  const KernelTable& kernels_;
  const MeasureLatencyOptions& options_;
  const MonotonicClock& now_;
  const LayerTree tree_;
  const std::vector<Route> probes_;
};

}  // namespace

absl::StatusOr<LayerLatency> MeasureLayerLatency(const Artifact& artifact, const Ladder& ladder,
                                                 const KernelTable& kernels, const MeasureLatencyOptions& options,
                                                 const MonotonicClock& now) {
  if (absl::Status status = ValidateArtifact(artifact); !status.ok()) return status;
  if (ladder.size() > kMaxRungs) {
    return absl::InvalidArgumentError(absl::StrCat(ladder.size(), " rungs exceed ", kMaxRungs));
  }
  if (options.check_routes < 0 || ladder.size() + options.check_routes > kMaxPoints) {
    return absl::InvalidArgumentError(
        absl::StrCat(options.check_routes, " routes to check are outside 0..", kMaxPoints - ladder.size()));
  }
  if (absl::Status status = CheckRows(options.rows); !status.ok()) return status;
  return Measurement(artifact, ladder, kernels, options, now).Run();
}

absl::StatusOr<LayerLatency> MeasurePointLatency(const Artifact& artifact, const Ladder& ladder,
                                                 const KernelTable& kernels, const MeasureLatencyOptions& options,
                                                 const MonotonicClock& now) {
  if (absl::Status status = CheckRows(options.rows); !status.ok()) return status;
  std::vector<ArtifactPoint> points;
  for (const int point : ladder.points) points.push_back(artifact.points[point]);
  absl::StatusOr<std::unique_ptr<PackedNetwork>> network =
      PackedNetwork::Create(WithPoints(artifact, std::move(points)), kernels);
  if (!network.ok()) return network.status();
  (*network)->MeasureChoices(*std::max_element(options.rows.begin(), options.rows.end()), options.choose, now, {});
  const LayerTree tree = TreeOf(*PlanNetwork(artifact.spec));
  LayerLatency latency{
      .network = artifact.spec.name(), .isa = kernels.name, .processor = {}, .rungs = ladder.names, .layers = {}};
  for (const int rows : options.rows) {
    Batch batch(**network, rows);
    std::vector<std::vector<double>> times(ladder.size());
    const auto run = [&](int point, bool counts) {
      return RunWhole(**network, point, batch, counts, now, times[point]);
    };
    if (absl::Status status = TakeTurns(ladder.size(), options.each, now, run); !status.ok()) return status;
    BatchLatency& measured = latency.batches.emplace_back(BatchLatency{.rows = rows});
    for (int rung = 0; rung < ladder.size(); ++rung) {
      const double median = Median(times[rung]);
      measured.whole.push_back(
          {.route = RouteText(ladder, UniformRoute(tree, rung)), .measured_us = median, .predicted_us = median});
    }
  }
  return latency;
}

}  // namespace anybit::model::train
