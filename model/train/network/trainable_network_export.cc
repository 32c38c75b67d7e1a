// The part of TrainableNetwork that turns it into an artifact: batch norm, units and activation steps fold into the
// scales and biases of the serving formula.
#include <cmath>
#include <numeric>
#include <vector>

#include "model/format/requantize.h"
#include "model/format/zero_points.h"
#include "model/train/network/trainable_network.h"

namespace anybit::model::train {
namespace {

template <typename T>
std::vector<T> ToVector(const torch::Tensor& values, torch::ScalarType type) {
  const torch::Tensor flat = values.detach().to(torch::kCPU, type).contiguous().reshape({-1});
  const T* data = flat.const_data_ptr<T>();
  return std::vector<T>(data, data + flat.numel());
}

// [O, C, k, k] to the artifact's [O, k, k, C]; linear weights already have its order.
torch::Tensor ToStoreOrder(const torch::Tensor& weights) {
  return weights.dim() == 4 ? weights.permute({0, 2, 3, 1}) : weights;
}

}  // namespace

std::vector<double> TrainableNetworkImpl::Units(PointIndex point, int layer) {
  if (points_[point].full_precision) return std::vector<double>(weights_[layer].size(0), 1.0);
  return ToVector<double>(layers_[layer].Unit(WeightRange(point, layer)), torch::kFloat64);
}

LayerEpilogue TrainableNetworkImpl::ExportConv(PointIndex point, const PlannedNode& node, double input_step,
                                               double residual_step) {
  const PointRecipe& recipe = points_[point];
  const Switch& s = switches_[point][node.layer];
  const auto gamma = ToVector<double>(s.gamma, torch::kFloat64), beta = ToVector<double>(s.beta, torch::kFloat64);
  const auto mean = ToVector<double>(s.mean, torch::kFloat64), variance = ToVector<double>(s.variance, torch::kFloat64);
  const std::vector<double> unit = Units(point, node.layer);
  const double output_step = ActivationUnit(point, node.layer);
  LayerEpilogue layer{.weights = WeightRange(point, node.layer)};
  if (!recipe.full_precision) layer.highest_code = recipe.highest_code;
  for (size_t o = 0; o < gamma.size(); ++o) {
    const double norm = gamma[o] / std::sqrt(variance[o] + kNormEpsilon);
    const double scale = input_step * unit[o] * norm / output_step;
    layer.scale.push_back(recipe.full_precision ? static_cast<float>(scale) : ExactScale(scale));
    layer.bias.push_back(static_cast<float>((beta[o] - mean[o] * norm) / output_step));
  }
  if (node.has_residual) layer.residual_scale = static_cast<float>(residual_step / output_step);
  return layer;
}

LayerEpilogue TrainableNetworkImpl::ExportHead(PointIndex point, const PlannedNode& node, double input_step) {
  LayerEpilogue layer{.weights = WeightRange(point, node.layer), .bias = ToVector<float>(head_bias_, torch::kFloat32)};
  for (double u : Units(point, node.layer)) layer.scale.push_back(static_cast<float>(input_step * u));
  return layer;
}

Artifact TrainableNetworkImpl::Export() {
  std::vector<PointIndex> all(points_.size());
  std::iota(all.begin(), all.end(), 0);
  return Export(all);
}

Artifact TrainableNetworkImpl::Export(std::span<const PointIndex> points) {
  torch::NoGradGuard no_gradient;
  Artifact artifact;
  artifact.spec = spec_;
  bool full = false;
  for (PointIndex p : points) full |= points_[p].full_precision;
  for (LayerWeights& layer : layers_) {
    LayerStore& store = artifact.store.emplace_back();
    store.q8 = ToVector<int8_t>(ToStoreOrder(layer.Codes()), torch::kInt8);
    store.scale = ToVector<float>(layer.Scale(), torch::kFloat32);
    if (full) store.full = ToVector<float>(ToStoreOrder(layer.Full()), torch::kFloat32);
  }
  for (PointIndex p : points) {
    const PointRecipe& recipe = points_[p];
    ArtifactPoint& point = artifact.points.emplace_back();
    point.info = {.name = recipe.name, .weight_bits = recipe.weight_bits, .activation_bits = recipe.activation_bits};
    point.full_precision = recipe.full_precision;
    const std::vector<double> units = NodeUnits(p);
    const auto unit = [&](int index) { return UnitOf(units, index); };
    for (int index : plan_.layers) {
      const PlannedNode& node = plan_.nodes[index];
      point.layers.push_back(node.kind == NodeKind::kConv ? ExportConv(p, node, unit(node.input), unit(node.residual))
                                                          : ExportHead(p, node, unit(node.input)));
    }
  }
  FoldZeroPoints(artifact);
  return artifact;
}

}  // namespace anybit::model::train
