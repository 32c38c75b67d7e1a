#include "model/train/trainer/gradient_meter.h"

#include <torch/torch.h>

#include <cmath>

namespace anybit::model::train {

double GradientMeter::Added(const std::vector<torch::Tensor>& holders) {
  torch::NoGradGuard no_gradient;
  torch::Tensor squares;
  for (const torch::Tensor& holder : holders) {
    const torch::Tensor& gradient = holder.grad();
    if (!gradient.defined()) continue;
    torch::Tensor& seen = seen_[holder.unsafeGetTensorImpl()];
    const torch::Tensor added = (seen.defined() ? gradient - seen : gradient).square().sum();
    squares = squares.defined() ? squares + added : added;
    seen = gradient.clone();
  }
  return squares.defined() ? std::sqrt(squares.item<double>()) : 0;
}

}  // namespace anybit::model::train
