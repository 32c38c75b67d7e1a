#include "model/train/network/activation_parameter.h"

#include <cmath>

namespace anybit::model::train {
namespace {

constexpr float kSmallestStep = 1e-4f;
constexpr float kInitialMean = 0.4f;  // of activations after batch norm and ReLU

}  // namespace

torch::Tensor ActivationParameter::Initial() const {
  if (measured()) return FromMean(torch::full({1}, kInitialMean));
  const float levels = static_cast<float>(levels_);
  return torch::full({1}, 0.8f / std::sqrt(levels) * (rule_ == ActivationRule::kPact ? levels : 1.0f));
}

torch::Tensor ActivationParameter::FromMean(const torch::Tensor& mean) const {
  if (measured()) return reach_ * mean.reshape({1});
  const double levels = levels_;
  const torch::Tensor step = 2 * mean.reshape({1}) / std::sqrt(levels);
  return rule_ == ActivationRule::kPact ? step * levels : step;
}

torch::Tensor ActivationParameter::StepOf(const torch::Tensor& parameter, const torch::TensorOptions& options) const {
  const double levels = levels_;
  switch (rule_) {
    case ActivationRule::kLearnedStep: return parameter.clamp_min(kSmallestStep);
    case ActivationRule::kPact:
    case ActivationRule::kScaleClip: return (parameter / levels).clamp_min(kSmallestStep);
    case ActivationRule::kUnit: break;
  }
  return torch::full({1}, 1.0 / levels, options.requires_grad(false));
}

double ActivationParameter::Smallest() const {
  return kSmallestStep * (rule_ == ActivationRule::kLearnedStep ? 1 : static_cast<double>(levels_));
}

}  // namespace anybit::model::train
