#include "model/train/trainer/frozen_teacher.h"

#include <torch/torch.h>

#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace anybit::model::train {

FrozenTeacher::FrozenTeacher(const NetworkSpec& spec, const PointRecipe& start, const TrainerOptions& options)
    : network_(spec, std::vector<PointRecipe>{start}, options.recipe, options.seed) {
  network_->to(torch::Device(options.device));
}

void FrozenTeacher::Adopt(TrainableNetwork& network) {
  torch::NoGradGuard no_gradient;
  std::map<std::string, torch::Tensor> theirs;
  for (const auto& [name, tensor] : NetworkState(network)) theirs[name] = tensor;
  // The names contain that of the point, so that every tensor of this network has one of the same name there.
  for (const auto& [name, tensor] : NetworkState(network_)) tensor.copy_(theirs.at(name));
  network_->WeightsChanged();
}

torch::Tensor FrozenTeacher::Logits(const torch::Tensor& images) {
  torch::NoGradGuard no_gradient;
  return network_->Forward(/*point=*/0, images, /*momentum=*/0);
}

NamedTensors FrozenTeacher::State() {
  NamedTensors state;
  for (const auto& [name, tensor] : NetworkState(network_)) state.emplace_back(absl::StrCat("frozen.", name), tensor);
  return state;
}

}  // namespace anybit::model::train
