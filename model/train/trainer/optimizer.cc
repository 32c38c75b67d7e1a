#include "model/train/trainer/optimizer.h"

#include "absl/strings/str_cat.h"

namespace anybit::model::train {

Optimizer::Optimizer(OptimizerKind kind, double momentum, std::vector<ParameterGroup> groups)
    : kind_(kind), momentum_(momentum), groups_(std::move(groups)) {
  for (const ParameterGroup& group : groups_) {
    Memory& memory = memory_.emplace_back();
    for (const torch::Tensor& parameter : group.parameters) {
      const torch::Tensor zeros = torch::zeros_like(parameter.detach());
      memory.first.push_back(zeros);
      if (kind_ == OptimizerKind::kSgd) continue;
      memory.second.push_back(torch::zeros_like(zeros));
      memory.steps.push_back(torch::zeros({}, zeros.options()));
    }
  }
}

void Optimizer::ClearGradients() {
  for (const ParameterGroup& group : groups_) {
    for (const torch::Tensor& parameter : group.parameters) parameter.mutable_grad().reset();
  }
}

void Optimizer::Step(double learning_rate) {
  torch::NoGradGuard no_gradient;
  for (size_t g = 0; g < groups_.size(); ++g) {
    const ParameterGroup& group = groups_[g];
    std::vector<torch::Tensor> parameters, gradients, first, second, steps;
    for (size_t i = 0; i < group.parameters.size(); ++i) {
      const torch::Tensor& gradient = group.parameters[i].grad();
      if (!gradient.defined()) continue;
      parameters.push_back(group.parameters[i]);
      // The fused kernels walk both memories side by side.
      gradients.push_back(gradient.contiguous());
      first.push_back(memory_[g].first[i]);
      if (kind_ == OptimizerKind::kSgd) continue;
      second.push_back(memory_[g].second[i]);
      steps.push_back(memory_[g].steps[i]);
    }
    if (parameters.empty()) continue;
    const double rate = learning_rate * group.rate;
    if (kind_ == OptimizerKind::kAdamW) {
      std::vector<torch::Tensor> magnitudes, moves;  // a relative parameter moves by its magnitude times the move of 1
      if (group.relative) {
        magnitudes = at::_foreach_abs(parameters);
        if (group.weight_decay > 0) at::_foreach_mul_(parameters, 1 - rate * group.weight_decay);
        for (const torch::Tensor& parameter : parameters) moves.push_back(torch::zeros_like(parameter));
      }
      at::_foreach_add_(steps, 1);
      at::_fused_adamw_(group.relative ? moves : parameters, gradients, first, second, /*max_exp_avg_sqs=*/{}, steps,
                        rate,
                        /*beta1=*/0.9, /*beta2=*/0.999, group.relative ? 0 : group.weight_decay, /*eps=*/1e-8,
                        /*amsgrad=*/false, /*maximize=*/false);
      if (group.relative) at::_foreach_addcmul_(parameters, moves, magnitudes);
    } else {
      if (momentum_ == 0) first.clear();  // LibTorch demands it
      at::_fused_sgd_(parameters, gradients, first, group.weight_decay, momentum_, rate, /*dampening=*/0,
                      /*nesterov=*/momentum_ > 0, /*maximize=*/false, /*is_first_step=*/false);
    }
  }
}

void Optimizer::Reset() {
  for (const auto& [name, tensor] : State()) tensor.zero_();
}

std::vector<std::pair<std::string, torch::Tensor>> Optimizer::State() const {
  std::vector<std::pair<std::string, torch::Tensor>> state;
  for (size_t g = 0; g < memory_.size(); ++g) {
    const auto add = [&](const char* what, const std::vector<torch::Tensor>& tensors) {
      for (size_t i = 0; i < tensors.size(); ++i) state.emplace_back(absl::StrCat(g, ".", i, ".", what), tensors[i]);
    };
    add("first", memory_[g].first);
    add("second", memory_[g].second);
    add("step", memory_[g].steps);
  }
  return state;
}

}  // namespace anybit::model::train
