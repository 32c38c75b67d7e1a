// The step of an activation quantizer with the smallest squared error on sample values.
#ifndef ANYBIT_MODEL_TRAIN_CONVERT_ACTIVATION_STEP_H_
#define ANYBIT_MODEL_TRAIN_CONVERT_ACTIVATION_STEP_H_

#include <span>

namespace anybit::model::train {

// The mean squared error of quantization. After a ReLU (`zero` 0): of (max(x, 0) - step * clamp(rne(x / step), 0,
// highest))^2. Without a ReLU code `zero` > 0 stands for 0 (model/format/zero_points.h): of (x - step * (clamp(rne(x /
// step + zero), 0, highest) - zero))^2.
double StepError(std::span<const float> values, int highest, int zero, double step);

// The step > 0 with the smallest StepError. It is searched on a grid of ratio 1.03 from 1.2 times the step that reaches
// all values down to a hundredth of it, then with ratio 1.003 around the best. 1 where no value needs a code but zero.
double BestActivationStep(std::span<const float> values, int highest, int zero = 0);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_CONVERT_ACTIVATION_STEP_H_
