// An optimizer over groups of parameters with different learning rates and weight decays.
//
// It uses LibTorch's fused steps: one pass over the memory of a group instead of ten small operations per tensor, and
// one kernel launch on a GPU. Parameters without a gradient, and their momentum, do not change: they belong to points
// that are not due in the step.
#ifndef ANYBIT_MODEL_TRAIN_TRAINER_OPTIMIZER_H_
#define ANYBIT_MODEL_TRAIN_TRAINER_OPTIMIZER_H_

#include <torch/torch.h>

#include <string>
#include <utility>
#include <vector>

namespace anybit::model::train {

enum class OptimizerKind : uint8_t {
  kAdamW,  // decoupled decay; betas .9 and .999
  kSgd,    // Nesterov momentum; decay added to the gradient
};

struct ParameterGroup {
  std::vector<torch::Tensor> parameters;  // contiguous
  double rate = 1;                        // factor of the step's learning rate
  double weight_decay = 0;
  // AdamW moves a parameter by about the rate, whatever the parameter's magnitude. If `relative`, the rate is a share
  // of the magnitude of each value (relative step sizes, Shazeer and Stern, "Adafactor", 2018). For activation steps,
  // whose values may differ by a factor of a thousand and must stay above 0. SGD does not need it and ignores it.
  bool relative = false;
};

class Optimizer {
 public:
  Optimizer(OptimizerKind kind, double momentum, std::vector<ParameterGroup> groups);

  void ClearGradients();

  void Step(double learning_rate);

  // Forgets all gradients, as before the first step; called where a phase begins.
  void Reset();

  // Names and tensors of its memory, for a checkpoint: they can be read and written.
  std::vector<std::pair<std::string, torch::Tensor>> State() const;

 private:
  // One group's memory, by parameter.
  struct Memory {
    std::vector<torch::Tensor> first, second, steps;  // moments and step counts; SGD has the first moment only
  };

  const OptimizerKind kind_;
  const double momentum_;
  const std::vector<ParameterGroup> groups_;
  std::vector<Memory> memory_;
};

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_TRAINER_OPTIMIZER_H_
