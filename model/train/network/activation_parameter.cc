#include "model/train/network/activation_parameter.h"

#include <cmath>

namespace anybit::model::train {
namespace {

constexpr float kSmallestStep = 1e-4f;

}  // namespace

torch::Tensor ActivationParameter::Initial() const {
  const float levels = static_cast<float>(levels_);
  return torch::full({1}, 0.8f / std::sqrt(levels) * (rule_ == ActivationRule::kPact ? levels : 1.0f));
}

torch::Tensor ActivationParameter::FromMean(const torch::Tensor& mean) const {
  const double levels = levels_;
  const torch::Tensor step = 2 * mean.reshape({1}) / std::sqrt(levels);
  return rule_ == ActivationRule::kPact ? step * levels : step;
}

torch::Tensor ActivationParameter::StepOf(const torch::Tensor& parameter, const torch::TensorOptions& options) const {
  const double levels = levels_;
  switch (rule_) {
    case ActivationRule::kLearnedStep: return parameter.clamp_min(kSmallestStep);
    case ActivationRule::kPact: return (parameter / levels).clamp_min(kSmallestStep);
    case ActivationRule::kUnit: break;
  }
  return torch::full({1}, 1.0 / levels, options.requires_grad(false));
}

double ActivationParameter::Smallest() const {
  return kSmallestStep * (rule_ == ActivationRule::kPact ? static_cast<double>(levels_) : 1);
}

}  // namespace anybit::model::train
