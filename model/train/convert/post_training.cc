#include "model/train/convert/post_training.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "model/format/full_precision_point.h"
#include "model/format/network_spec.h"
#include "model/train/convert/norm_estimator.h"

namespace anybit::model::train {
namespace {

// Outputs of a layer at which the moments of its inputs are measured: several for each of its weights.
constexpr int64_t kMomentPlaces = 8192;

// The different weight ranges of one layer over all points.
std::vector<CodeRange> RangesOfLayer(const std::vector<PointRanges>& points, size_t layer) {
  std::vector<CodeRange> ranges;
  for (const PointRanges& point : points) {
    const CodeRange& range = point.weights[layer];
    if (std::find(ranges.begin(), ranges.end(), range) == ranges.end()) ranges.push_back(range);
  }
  return ranges;
}

// Rounds the store of `artifact` for `points`; returns the real values of one code of the last layer's weights.
std::vector<double> RoundStore(const NetworkPlan& plan, const std::vector<PointRanges>& points,
                               const NormEstimator& estimator, Rounding rounding, const JointRoundingOptions& options,
                               Artifact& artifact) {
  std::vector<double> head_units;
  for (size_t i = 0; i < plan.layers.size(); ++i) {
    const std::vector<CodeRange> ranges = RangesOfLayer(points, i);
    LayerStore& store = artifact.store[i];
    const PlannedNode& node = plan.layer(static_cast<int>(i));
    JointRoundingOptions of_layer = options;
    of_layer.moments = estimator.statistics().layers[i].input_moments;
    RoundedWeights rounded = rounding == Rounding::kJoint
                                 ? RoundJointly(store.full, node.out.channels, ranges, of_layer)
                                 : RoundToNearest(store.full, node.out.channels, ranges);
    store.q8 = std::move(rounded.q8);
    store.scale = std::move(rounded.scale);
    if (i + 1 == plan.layers.size()) head_units = std::move(rounded.units.front());
  }
  return head_units;
}

}  // namespace

absl::StatusOr<Artifact> QuantizeAfterTraining(const Artifact& full, const std::vector<PointRecipe>& points,
                                               std::span<const uint8_t> images, std::vector<float> border,
                                               Rounding rounding, const JointRoundingOptions& options,
                                               LayerSqnr* sqnr) {
  const ArtifactPoint* source = FullPrecisionPoint(full);
  if (source == nullptr) return absl::InvalidArgumentError("the artifact has no full-precision point");
  const absl::StatusOr<NetworkPlan> plan = PlanNetwork(full.spec);
  if (!plan.ok()) return plan.status();
  std::vector<PointRanges> quantized;
  for (const PointRecipe& recipe : points) {
    if (recipe.full_precision) continue;
    quantized.push_back(UniformRanges(recipe, static_cast<int>(plan->layers.size())));
    KeepSmallLayersWide(*plan, quantized.back());
  }
  if (quantized.empty()) return absl::InvalidArgumentError("no quantized operating point is wanted");

  Artifact artifact{.spec = full.spec, .version = full.version, .store = full.store, .points = {*source}};
  const absl::StatusOr<std::unique_ptr<NormEstimator>> estimator =
      NormEstimator::Create(artifact, images, std::move(border), rounding == Rounding::kJoint ? kMomentPlaces : 0);
  if (!estimator.ok()) return estimator.status();
  const std::vector<double> head_units = RoundStore(*plan, quantized, **estimator, rounding, options, artifact);
  std::vector<ArtifactPoint> estimated;
  size_t next = 0;
  for (const PointRecipe& recipe : points) {
    std::vector<double> of_layers;
    if (recipe.full_precision) {
      if (sqnr != nullptr) sqnr->emplace_back();
      estimated.push_back(*source);
      estimated.back().info = {
          .name = recipe.name, .weight_bits = recipe.weight_bits, .activation_bits = recipe.activation_bits};
      continue;
    }
    absl::StatusOr<ArtifactPoint> point =
        (*estimator)->Estimate(artifact.store, quantized[next++], head_units, sqnr != nullptr ? &of_layers : nullptr);
    if (!point.ok()) return point.status();
    if (sqnr != nullptr) sqnr->push_back(std::move(of_layers));
    estimated.push_back(*std::move(point));
  }
  artifact.points = std::move(estimated);
  if (quantized.size() == points.size()) {
    for (LayerStore& store : artifact.store) store.full.clear();
  }
  return artifact;
}

}  // namespace anybit::model::train
