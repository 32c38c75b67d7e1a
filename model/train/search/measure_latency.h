// Measures layer latencies on the engine.
//
// Layers are measured inside whole networks, so that they find the caches as in service. For each pair of rungs one
// probe network runs: layers at an even distance from the image have the first rung, the others the second. Between
// them the probes hold every pair of a layer's rung and its source's. The kernel tuner first chooses the algorithms of
// each; then all probes take turns.
#ifndef ANYBIT_MODEL_TRAIN_SEARCH_MEASURE_LATENCY_H_
#define ANYBIT_MODEL_TRAIN_SEARCH_MEASURE_LATENCY_H_

#include <chrono>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "model/engine/kernel_chooser.h"
#include "model/format/artifact_contents.h"
#include "model/kernels/cpu/kernel_table.h"
#include "model/train/search/layer_latency.h"
#include "model/train/search/route.h"

namespace anybit::model::train {

struct MeasureLatencyOptions {
  std::vector<int> rows = {1, 16};
  std::chrono::nanoseconds choose{};  // at most how long to choose kernels
  std::chrono::nanoseconds each{};    // how long to measure batches of one size
  int check_routes = 0;               // random routes whose sums are compared with whole runs, besides the uniform ones
  uint64_t seed = 1;
};

// InvalidArgument for a ladder of more than 8 rungs, or more than 64 routes to check, of which an artifact can hold no
// more, or rows below 1.
absl::StatusOr<LayerLatency> MeasureLayerLatency(const Artifact& artifact, const Ladder& ladder,
                                                 const KernelTable& kernels, const MeasureLatencyOptions& options,
                                                 const MonotonicClock& now);

// The points of `ladder`, up to 64, as wholes that take turns: BatchLatency::whole has one uniform route for each, and
// there are no layers. `check_routes` and `seed` are not used.
absl::StatusOr<LayerLatency> MeasurePointLatency(const Artifact& artifact, const Ladder& ladder,
                                                 const KernelTable& kernels, const MeasureLatencyOptions& options,
                                                 const MonotonicClock& now);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_SEARCH_MEASURE_LATENCY_H_
