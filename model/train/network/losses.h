// The losses of one pass: against labels, against a teacher, or both.
#ifndef ANYBIT_MODEL_TRAIN_NETWORK_LOSSES_H_
#define ANYBIT_MODEL_TRAIN_NETWORK_LOSSES_H_

#include <torch/types.h>

#include <vector>

#include "model/train/recipe/recipe.h"

namespace anybit::model::train {

// Mean cross-entropy of logits [N, classes] and labels int64 [N].
torch::Tensor LabelLoss(const torch::Tensor& logits, const torch::Tensor& labels, double label_smoothing);

// T^2 KL(teacher || student) of the softmaxes at temperature T, mean over rows. The teacher gets no gradient. The loss
// differs from the soft cross-entropy by the teacher's entropy, which is a constant.
torch::Tensor TeacherLoss(const torch::Tensor& student, const torch::Tensor& teacher, double temperature);

// The loss by the recipe's LossRule; `label_loss` alone where `teacher`, the teacher's logits, is undefined.
torch::Tensor PassLoss(const Recipe& recipe, const torch::Tensor& label_loss, const torch::Tensor& student,
                       const torch::Tensor& teacher);

// The mean over layers of kure * (kurtosis - 1.8)^2 + skew * skewness^2. It is smallest for uniformly distributed
// weights, whose kurtosis is 1.8 (KURE: Shkolnik et al., "Robust Quantization: One Model to Rule Them All", 2020).
torch::Tensor ShapePenalty(const std::vector<torch::Tensor>& weights, double kure, double skew);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_NETWORK_LOSSES_H_
