// What one pass is asked for: labels, a teacher, or both.
#ifndef ANYBIT_MODEL_TRAIN_NETWORK_LOSSES_H_
#define ANYBIT_MODEL_TRAIN_NETWORK_LOSSES_H_

#include <torch/torch.h>

#include "model/train/recipe/recipe.h"

namespace anybit {

// Mean cross-entropy of logits [N, classes] and labels int64 [N].
torch::Tensor LabelLoss(const torch::Tensor& logits, const torch::Tensor& labels, double label_smoothing);

// T^2 KL(teacher || student) of the softmaxes at temperature T, mean over rows. No gradient reaches the teacher. It
// differs from the soft cross-entropy by the teacher's entropy, a constant.
torch::Tensor TeacherLoss(const torch::Tensor& student, const torch::Tensor& teacher, double temperature);

// As the recipe says, from the loss of the labels and, where `teacher` is defined, its logits.
torch::Tensor PassLoss(const Recipe& recipe, const torch::Tensor& label_loss, const torch::Tensor& student,
                       const torch::Tensor& teacher);

// The mean over `weights` of kure * (kurtosis - 1.8)^2 + skew * skewness^2: least for uniform weights, whose kurtosis
// is 1.8 (KURE: Shkolnik et al., "Robust Quantization: One Model to Rule Them All", 2020). Moments are of a whole
// layer.
torch::Tensor ShapePenalty(const std::vector<torch::Tensor>& weights, double kure, double skew);

}  // namespace anybit

#endif  // ANYBIT_MODEL_TRAIN_NETWORK_LOSSES_H_
