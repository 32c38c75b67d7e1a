#include "model/train/network/losses.h"

namespace anybit::model::train {

torch::Tensor LabelLoss(const torch::Tensor& logits, const torch::Tensor& labels, double label_smoothing) {
  return torch::cross_entropy_loss(logits, labels, /*weight=*/{}, at::Reduction::Mean, /*ignore_index=*/-100,
                                   label_smoothing);
}

torch::Tensor TeacherLoss(const torch::Tensor& student, const torch::Tensor& teacher, double temperature) {
  const torch::Tensor target = torch::log_softmax(teacher.detach() / temperature, 1);
  const torch::Tensor given = torch::log_softmax(student / temperature, 1);
  const double rows = static_cast<double>(student.size(0));
  return (target.exp() * (target - given)).sum() * (temperature * temperature / rows);
}

torch::Tensor PassLoss(const Recipe& recipe, const torch::Tensor& label_loss, const torch::Tensor& student,
                       const torch::Tensor& teacher) {
  if (!teacher.defined() || recipe.loss == LossRule::kLabels) return label_loss;
  const torch::Tensor soft = TeacherLoss(student, teacher, recipe.temperature);
  if (recipe.loss == LossRule::kSoft) return soft;
  if (recipe.loss == LossRule::kNormalized) return (1 - recipe.alpha) * label_loss + recipe.alpha * soft;
  return label_loss + recipe.distill * soft;
}

torch::Tensor ShapePenalty(const std::vector<torch::Tensor>& weights, double kure, double skew) {
  torch::Tensor penalty;
  for (const torch::Tensor& w : weights) {
    const torch::Tensor centred = w - w.mean();
    const torch::Tensor squares = centred * centred;
    const torch::Tensor variance = squares.mean();
    const torch::Tensor kurtosis = (squares * squares).mean() / (variance * variance);
    const torch::Tensor skewness = (squares * centred).mean() / variance.pow(1.5);
    const torch::Tensor one = kure * (kurtosis - 1.8).square() + skew * skewness.square();
    penalty = penalty.defined() ? penalty + one : one;
  }
  return penalty / static_cast<double>(weights.size());
}

}  // namespace anybit::model::train
