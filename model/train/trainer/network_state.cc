#include "model/train/trainer/network_state.h"

#include "absl/strings/str_cat.h"

namespace anybit::model::train {

Checkpoint::Values ToValues(const torch::Tensor& tensor) {
  const torch::Tensor flat = tensor.detach().to(torch::kCPU, torch::kFloat32).contiguous();
  const float* data = flat.const_data_ptr<float>();
  return {.shape = tensor.sizes().vec(), .values = {data, data + flat.numel()}};
}

absl::Status Restore(const Checkpoint& checkpoint, const std::string& name, torch::Tensor tensor) {
  const auto found = checkpoint.tensors.find(name);
  if (found == checkpoint.tensors.end() || found->second.shape != tensor.sizes().vec()) {
    return absl::DataLossError(absl::StrCat("the checkpoint has no tensor '", name, "' of this network's shape"));
  }
  torch::NoGradGuard no_gradient;
  tensor.copy_(torch::tensor(found->second.values).reshape(found->second.shape));
  return absl::OkStatus();
}

absl::Status CheckFinite(const NamedTensors& state, int64_t step) {
  for (const auto& [name, tensor] : state) {
    if (tensor.isfinite().all().item<bool>()) continue;
    return absl::AbortedError(absl::StrCat("the training has diverged: after step ", step, " '", name,
                                           "' is not finite; a lower learning rate may help"));
  }
  return absl::OkStatus();
}

NamedTensors NetworkState(TrainableNetwork& network) {
  NamedTensors state;
  for (const auto& item : network->named_parameters()) state.emplace_back("network." + item.key(), item.value());
  for (const auto& item : network->named_buffers()) state.emplace_back("network." + item.key(), item.value());
  return state;
}

}  // namespace anybit::model::train
