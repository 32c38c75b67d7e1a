#include "model/train/trainer/weight_average.h"

#include <algorithm>
#include <utility>

namespace anybit::model::train {

WeightAverage::WeightAverage(std::vector<torch::Tensor> parameters, double decay)
    : parameters_(std::move(parameters)), decay_(decay) {
  if (decay_ == 0) return;
  for (const torch::Tensor& parameter : parameters_) average_.push_back(parameter.detach().clone());
}

void WeightAverage::Reset() {
  for (size_t i = 0; i < average_.size(); ++i) average_[i].copy_(parameters_[i].detach());
}

void WeightAverage::Update(int64_t steps_of_phase) {
  if (average_.empty()) return;
  torch::NoGradGuard no_gradient;
  const auto steps = static_cast<double>(steps_of_phase);
  at::_foreach_lerp_(average_, parameters_, 1 - std::min(decay_, (1 + steps) / (10 + steps)));
}

void WeightAverage::Apply() {
  torch::NoGradGuard no_gradient;
  for (size_t i = 0; i < average_.size(); ++i) parameters_[i].copy_(average_[i]);
}

}  // namespace anybit::model::train
