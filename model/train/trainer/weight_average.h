// The exponential moving average of a network's parameters over training steps, which may become the result.
#ifndef ANYBIT_MODEL_TRAIN_TRAINER_WEIGHT_AVERAGE_H_
#define ANYBIT_MODEL_TRAIN_TRAINER_WEIGHT_AVERAGE_H_

#include <torch/types.h>

#include <cstdint>
#include <vector>

namespace anybit::model::train {

class WeightAverage {
 public:
  // The decay after n steps of a phase is at most (1 + n) / (10 + n), so that the first values are soon forgotten.
  // Decay 0: there is no average, and the functions below do nothing. `parameters` keep their identity.
  WeightAverage(std::vector<torch::Tensor> parameters, double decay);

  // Restarts from the present parameters; called where a phase begins.
  void Reset();

  // Adds the parameters after `steps_of_phase` + 1 steps of the phase.
  void Update(int64_t steps_of_phase);

  // Copies the average into the parameters.
  void Apply();

  // The averages, for a checkpoint: they can be read and written.
  const std::vector<torch::Tensor>& tensors() const { return average_; }

 private:
  std::vector<torch::Tensor> parameters_;
  const double decay_;
  std::vector<torch::Tensor> average_;  // empty at decay 0
};

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_TRAINER_WEIGHT_AVERAGE_H_
