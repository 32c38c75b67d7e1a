// The tensors of a network in training, and their values to and from a checkpoint.
#ifndef ANYBIT_MODEL_TRAIN_TRAINER_NETWORK_STATE_H_
#define ANYBIT_MODEL_TRAIN_TRAINER_NETWORK_STATE_H_

#include <torch/types.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "model/train/network/trainable_network.h"
#include "model/train/trainer/checkpoint.h"

namespace anybit::model::train {

using NamedTensors = std::vector<std::pair<std::string, torch::Tensor>>;

// All parameters and running statistics of a network; names begin with "network.".
NamedTensors NetworkState(TrainableNetwork& network);

// Aborted, naming the first tensor of `state` that is not finite after `step` steps: the training has diverged.
absl::Status CheckFinite(const NamedTensors& state, int64_t step);

Checkpoint::Values ToValues(const torch::Tensor& tensor);

// Copies the values called `name` into `tensor`, which keeps its identity and device. DataLoss where the checkpoint has
// no values of that name and shape.
absl::Status Restore(const Checkpoint& checkpoint, const std::string& name, torch::Tensor tensor);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_TRAINER_NETWORK_STATE_H_
