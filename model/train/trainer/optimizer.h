// One optimizer over groups of parameters that differ in learning rate and weight decay.
//
// LibTorch's fused steps: one pass over the memory of a group instead of ten small operations per tensor, and one
// kernel launch on a GPU. Parameters without a gradient are left alone, with their momentum: a point that is not due
// stands still.
#ifndef ANYBIT_MODEL_TRAIN_TRAINER_OPTIMIZER_H_
#define ANYBIT_MODEL_TRAIN_TRAINER_OPTIMIZER_H_

#include <torch/torch.h>

#include <string>
#include <utility>
#include <vector>

namespace anybit {

enum class OptimizerKind : uint8_t {
  kAdamW,  // decoupled decay; betas .9 and .999
  kSgd,    // Nesterov momentum; decay added to the gradient
};

struct ParameterGroup {
  std::vector<torch::Tensor> parameters;  // contiguous
  double rate = 1;                        // of the step's learning rate
  double weight_decay = 0;
  // AdamW moves a parameter by about the rate, however large it is. With this the rate is of the parameter's magnitude
  // (Adafactor's relative step sizes, Shazeer and Stern 2018, of each value by itself): for scales, which may be a
  // thousand times apart and must stay above 0. Plain gradient descent has no need of it.
  bool relative = false;
};

class Optimizer {
 public:
  Optimizer(OptimizerKind kind, double momentum, std::vector<ParameterGroup> groups);

  void ClearGradients();

  void Step(double learning_rate);

  // As if no step had been: another phase's gradients are not this one's.
  void Reset();

  // Names and tensors of what it remembers: they can be read to save it and written to restore it.
  std::vector<std::pair<std::string, torch::Tensor>> State() const;

 private:
  // By group and parameter.
  struct Memory {
    std::vector<torch::Tensor> first, second, steps;  // SGD: first only
  };

  const OptimizerKind kind_;
  const double momentum_;
  const std::vector<ParameterGroup> groups_;
  std::vector<Memory> memory_;
};

}  // namespace anybit

#endif  // ANYBIT_MODEL_TRAIN_TRAINER_OPTIMIZER_H_
