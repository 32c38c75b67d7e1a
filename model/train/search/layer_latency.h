// The time of every layer at every rung: what a search adds up to predict a route's latency.
//
// Which kernels are exact, and so fast, depends on the ranges of a layer's weights and of the codes that it reads. So
// each layer has a time for each pair of rungs, its own and that of its source. Residuals only enter epilogues.
#ifndef ANYBIT_MODEL_TRAIN_SEARCH_LAYER_LATENCY_H_
#define ANYBIT_MODEL_TRAIN_SEARCH_LAYER_LATENCY_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/train/search/route.h"

namespace anybit::model::train {

// A whole network at one route, run at once.
struct RouteLatency {
  std::string route;  // RouteText
  double measured_us = 0;
  double predicted_us = 0;
};

// Of batches of one size, in microseconds, medians.
struct BatchLatency {
  int rows = 1;
  double base_us = 0;  // of a whole network beyond its layers: the same at every route
  // [layer][own rung][rung of its source]; 0 where the pair cannot occur (tied layers).
  std::vector<std::vector<std::vector<double>>> layers;
  std::vector<RouteLatency> whole;  // the check of the sums

  double Predict(const LayerTree& tree, const Route& route) const;
};

struct LayerLatency {
  std::string network;    // its name
  std::string isa;        // the kernels' instruction set
  std::string processor;  // or empty
  std::vector<std::string> rungs;
  std::vector<std::string> layers;
  std::vector<BatchLatency> batches;
};

std::string LayerLatencyJson(const LayerLatency& latency);

// InvalidArgument, naming what is wrong, for a text that LayerLatencyJson did not write.
absl::StatusOr<LayerLatency> ParseLayerLatency(absl::string_view text);

// The times for batches of `rows`, with the rungs of `ladder` in its order. InvalidArgument, with what the measurement
// has, where it is of other layers, or lacks a rung or the batch size.
absl::StatusOr<BatchLatency> LatencyFor(const LayerLatency& latency, const LayerTree& tree, const Ladder& ladder,
                                        int rows);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_SEARCH_LAYER_LATENCY_H_
