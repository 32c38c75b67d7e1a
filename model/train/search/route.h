// A route through an artifact's operating points: each layer runs at one of them, a rung of the ladder.
//
// A jointly trained network has ranges, scales and steps of every layer at every rung, over one int8 store. So a route
// needs no training: only its scales and biases are estimated anew (route_estimator.h).
#ifndef ANYBIT_MODEL_TRAIN_SEARCH_ROUTE_H_
#define ANYBIT_MODEL_TRAIN_SEARCH_ROUTE_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/format/artifact_contents.h"
#include "model/format/network_spec.h"

namespace anybit::model::train {

// By layer of the plan: the index of its rung.
using Route = std::vector<int>;

// Which layer's codes each layer reads. Residuals only enter epilogues, so that every layer has one source and the
// sources form a tree.
struct LayerTree {
  static constexpr int kImage = -1;

  std::vector<std::string> names;  // by layer of the plan
  std::vector<int> source;         // the layer whose codes it reads, through pools, or kImage; always an earlier layer
  std::vector<bool> tied;          // its rung is that of its source: the last layer, which has no codes of its own

  int layers() const { return static_cast<int>(names.size()); }
  // The rung of the codes that `layer` reads; 0 of the image's.
  int InputRung(const Route& route, int layer) const { return source[layer] == kImage ? 0 : route[source[layer]]; }
};

LayerTree TreeOf(const NetworkPlan& plan);

// Rungs of an artifact, dearest first.
struct Ladder {
  std::vector<std::string> names;
  std::vector<int> points;  // of each, its index in Artifact::points

  int size() const { return static_cast<int>(names.size()); }
};

// `names` are at least two quantized points of `artifact`; empty: all of them, in the artifact's order. NotFound, with
// the points that exist, or InvalidArgument, for full precision, a repeated name or fewer than two rungs.
absl::StatusOr<Ladder> FindRungs(const Artifact& artifact, const std::vector<std::string>& names);

Route UniformRoute(const LayerTree& tree, int rung);

// Gives tied layers the rungs of their sources.
void TieLayers(const LayerTree& tree, Route& route);

// InvalidArgument, naming the layer, unless `route` has a rung of 0..rungs - 1 for each layer and tied ones follow.
absl::Status CheckRoute(const LayerTree& tree, int rungs, const Route& route);

// "w8a8,w4a4f,w4a4f": the rung of each layer, in order.
std::string RouteText(const Ladder& ladder, const Route& route);
// InvalidArgument where the text is not of this ladder and tree.
absl::StatusOr<Route> ParseRoute(const LayerTree& tree, const Ladder& ladder, const std::string& text);

// The route as a point with each layer's ranges, scales and biases at its rung. The scales fit only where neighbours
// have the same rung; the time of a run does not depend on them. Bits are the lowest of any layer: of weights between
// the first and the last layer, of activations after every convolution. Accuracy is 0. `route` must be valid.
ArtifactPoint ComposeRoute(const Artifact& artifact, const Ladder& ladder, const Route& route, const std::string& name);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_SEARCH_ROUTE_H_
