// The part of TrainableNetwork that shows how a training goes. Nothing here changes the network.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "model/train/network/trainable_network.h"

namespace anybit::model::train {

double Saturation::Share() const { return values == 0 ? 0 : beyond.item<double>() / static_cast<double>(values); }

void TrainableNetworkImpl::CountBeyond(PointIndex point, int layer, const torch::Tensor& x) {
  if (points_[point].full_precision) return;
  torch::NoGradGuard no_gradient;
  const int zero = ZeroPoint(point, layer);
  const torch::Tensor step = ActivationStep(point, layer);
  torch::Tensor beyond = (x > step * (points_[point].highest_code - zero)).sum();
  if (zero > 0) beyond = beyond + (x < step * -zero).sum();
  saturation_->beyond = saturation_->beyond.defined() ? saturation_->beyond + beyond : beyond;
  saturation_->values += x.numel();
}

std::vector<torch::Tensor> TrainableNetworkImpl::gradient_holders() const {
  std::vector<torch::Tensor> holders = parameters();
  for (const LayerWeights& layer : layers_) {
    const std::vector<torch::Tensor> leaves = layer.leaves();
    holders.insert(holders.end(), leaves.begin(), leaves.end());
  }
  return holders;
}

std::vector<std::pair<std::string, double>> TrainableNetworkImpl::activation_steps(PointIndex point) const {
  std::vector<std::pair<std::string, double>> steps;
  if (points_[point].full_precision) return steps;
  for (const int index : plan_.layers) {
    const PlannedNode& node = plan_.nodes[index];
    if (node.kind == NodeKind::kConv) steps.emplace_back(node.name, ActivationUnit(point, node.layer));
  }
  return steps;
}

}  // namespace anybit::model::train
