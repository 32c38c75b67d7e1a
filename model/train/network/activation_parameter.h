// The parameter of one activation quantizer, by activation rule.
//
// LSQ learns the step: the real value of one code. PACT learns the clip: the real value of the outermost code. At
// kScaleClip the clip is a statistic of the data, a moving average like those of batch norm, without a gradient. At
// kUnit there is no parameter, and the clip is 1.
#ifndef ANYBIT_MODEL_TRAIN_NETWORK_ACTIVATION_PARAMETER_H_
#define ANYBIT_MODEL_TRAIN_NETWORK_ACTIVATION_PARAMETER_H_

#include <torch/types.h>

#include "model/train/recipe/recipe.h"

namespace anybit::model::train {

class ActivationParameter {
 public:
  // `levels`: the number of codes on the wider side of the code that stands for 0. `reach`: Recipe::activation_reach.
  ActivationParameter(ActivationRule rule, int levels, double reach) : rule_(rule), levels_(levels), reach_(reach) {}

  bool learned() const { return rule_ == ActivationRule::kLearnedStep || rule_ == ActivationRule::kPact; }
  bool measured() const { return rule_ == ActivationRule::kScaleClip; }
  const char* name() const { return rule_ == ActivationRule::kLearnedStep ? "step" : "clip"; }

  // [1], for activations of mean magnitude 0.4, which batch norm and ReLU give at first.
  torch::Tensor Initial() const;

  // [1], for activations of mean magnitude `mean`: LSQ's step 2 mean / sqrt(levels), GDRQ's clip reach * mean.
  torch::Tensor FromMean(const torch::Tensor& mean) const;

  // The step [1] with its gradient; `parameter` is undefined and the step a constant with `options` at kUnit.
  torch::Tensor StepOf(const torch::Tensor& parameter, const torch::TensorOptions& options) const;

  // The smallest allowed parameter. From a step of 0 or below, training would not come back.
  double Smallest() const;

 private:
  const ActivationRule rule_;
  const int levels_;
  const double reach_;
};

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_NETWORK_ACTIVATION_PARAMETER_H_
