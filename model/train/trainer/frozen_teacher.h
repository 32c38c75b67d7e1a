// The network at full precision as it was after the start, which no longer learns and teaches all points.
//
// Its logits are those of batch statistics, as the passes of the network in training are.
#ifndef ANYBIT_MODEL_TRAIN_TRAINER_FROZEN_TEACHER_H_
#define ANYBIT_MODEL_TRAIN_TRAINER_FROZEN_TEACHER_H_

#include <torch/types.h>

#include "model/format/network_spec.h"
#include "model/train/network/trainable_network.h"
#include "model/train/processes/process_group.h"
#include "model/train/recipe/point_recipe.h"
#include "model/train/trainer/network_state.h"
#include "model/train/trainer/trainer_options.h"

namespace anybit::model::train {

class FrozenTeacher {
 public:
  // `start` is the full-precision point of the networks to adopt.
  FrozenTeacher(const NetworkSpec& spec, const PointRecipe& start, const TrainerOptions& options);

  // Copies the present weights and the start point's batch norm of `network`, which was made with the same spec and
  // recipe.
  void Adopt(TrainableNetwork& network);

  // [N, classes], without gradient.
  torch::Tensor Logits(const torch::Tensor& images);

  // Where batch statistics are computed; see TrainableNetwork::SynchronizeNorms.
  void SynchronizeNorms(ProcessGroup* group) { network_->SynchronizeNorms(group); }

  // For a checkpoint; names begin with "frozen.". StateChanged follows a change of these tensors.
  NamedTensors State();
  void StateChanged() { network_->WeightsChanged(); }

 private:
  TrainableNetwork network_;
};

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_TRAINER_FROZEN_TEACHER_H_
