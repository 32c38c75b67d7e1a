// Tensors of a network in training, to and from a checkpoint.
#ifndef ANYBIT_MODEL_TRAIN_TRAINER_NETWORK_STATE_H_
#define ANYBIT_MODEL_TRAIN_TRAINER_NETWORK_STATE_H_

#include <torch/types.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "model/train/network/trainable_network.h"
#include "model/train/trainer/checkpoint.h"

namespace anybit {

using NamedTensors = std::vector<std::pair<std::string, torch::Tensor>>;

// All that a network learns or measures; names begin with "network.".
NamedTensors NetworkState(TrainableNetwork& network);

Checkpoint::Values ToValues(const torch::Tensor& tensor);

// Copies the values called `name` into `tensor`, which keeps its identity and device. DataLoss where the checkpoint has
// none of that shape.
absl::Status Restore(const Checkpoint& checkpoint, const std::string& name, torch::Tensor tensor);

}  // namespace anybit

#endif  // ANYBIT_MODEL_TRAIN_TRAINER_NETWORK_STATE_H_
