// The norm of the gradient that each pass of a step adds to a network.
//
// Passes of one step add up their gradients. The meter keeps copies, so it is made for the steps that are logged alone.
#ifndef ANYBIT_MODEL_TRAIN_TRAINER_GRADIENT_METER_H_
#define ANYBIT_MODEL_TRAIN_TRAINER_GRADIENT_METER_H_

#include <torch/types.h>

#include <map>
#include <vector>

namespace anybit::model::train {

class GradientMeter {
 public:
  // The norm of all that was added to the gradients of `holders` since the last call, or since they were cleared.
  // Waits for the device.
  double Added(const std::vector<torch::Tensor>& holders);

 private:
  std::map<const void*, torch::Tensor> seen_;  // by holder
};

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_TRAINER_GRADIENT_METER_H_
