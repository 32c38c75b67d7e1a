// Estimates the scales and biases of a route, layer by layer, on unlabelled calibration images.
//
// A layer's sums on the route get the mean and the deviation, channel by channel, that its own rung gives them on the
// same images: batch norm is estimated anew, its learned scale and shift are kept. So the scale of the codes that it
// reads needs not be known, and a uniform route is its operating point itself, bit for bit. A residual of another rung
// is scaled to the power that the layer's own rung adds. The last layer has no batch norm; it takes everything from the
// rung of the codes that it reads.
//
// It reads the artifact alone: no full-precision point, no LibTorch.
#ifndef ANYBIT_MODEL_TRAIN_SEARCH_ROUTE_ESTIMATOR_H_
#define ANYBIT_MODEL_TRAIN_SEARCH_ROUTE_ESTIMATOR_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/format/artifact_contents.h"
#include "model/format/network_spec.h"
#include "model/kernels/cpu/kernel_table.h"
#include "model/train/search/route.h"

namespace anybit::model::train {

class RouteEstimator {
 public:
  // `images` are rows of the network's input. The codes of all of them at each rung are kept in memory. `artifact` and
  // `kernels` must outlive the estimator. InvalidArgument for an invalid artifact, or codes that are no whole rows.
  static absl::StatusOr<std::unique_ptr<RouteEstimator>> Create(const Artifact& artifact, const Ladder& ladder,
                                                                std::span<const uint8_t> images,
                                                                const KernelTable& kernels, int threads);

  const NetworkPlan& plan() const { return plan_; }
  const LayerTree& tree() const { return tree_; }

  // The route as an operating point named `name`; its accuracy is 0. Layers whose rungs, and those of all layers before
  // them, are as in a uniform route or in the route estimated before are taken from there. The errors of CheckRoute.
  absl::StatusOr<ArtifactPoint> Estimate(const Route& route, const std::string& name);

  // The codes that the last layer (or its pool) reads, of the last estimated route: [images][height][width][channels].
  std::span<const uint8_t> last_codes() const;
  int64_t images() const { return rows_; }

 private:
  struct Moments {
    std::vector<double> mean, deviation;  // by channel
  };
  using Codes = std::vector<uint8_t>;

  // The network's values on all images, by node, and its layers.
  struct Values {
    Route route;
    std::vector<std::shared_ptr<const Codes>> codes;  // null of a node without codes
    std::vector<Moments> moments;                     // by layer, of sums
    ArtifactPoint point;                              // its layers
  };

  RouteEstimator(const Artifact& artifact, const Ladder& ladder, std::span<const uint8_t> images,
                 const KernelTable& kernels, int threads);

  // Runs `route`, taking what it can from `known`. Without any it is a uniform route, which keeps the stored epilogues.
  Values Run(const Route& route, std::span<const Values* const> known);
  void RunConv(const PlannedNode& node, int index, bool uniform, Values& values);
  // The epilogue of a layer on a route, whose sums have `moments`.
  LayerEpilogue Fitted(const PlannedNode& node, const Moments& moments, const Values& values) const;
  // What the residual's codes are multiplied with, of what the layer's own rung multiplies its own with.
  double ResidualRatio(const PlannedNode& node, int rung, const Values& values) const;
  const Codes& CodesOf(const Values& values, int node) const {
    return node == kNetworkInput ? images_ : *values.codes[node];
  }

  const Artifact& artifact_;
  const Ladder ladder_;
  const KernelTable& kernels_;
  const int threads_;
  const NetworkPlan plan_;
  const LayerTree tree_;
  const Codes images_;
  const int64_t rows_;
  std::vector<Values> uniform_;  // by rung
  Values last_;
};

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_SEARCH_ROUTE_ESTIMATOR_H_
