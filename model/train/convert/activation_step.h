// The step of an activation quantizer from values it will see: the one with the smallest squared error.
#ifndef ANYBIT_MODEL_TRAIN_CONVERT_ACTIVATION_STEP_H_
#define ANYBIT_MODEL_TRAIN_CONVERT_ACTIVATION_STEP_H_

#include <span>

namespace anybit {

// Mean of (max(x, 0) - step * clamp(rne(x / step), 0, highest))^2, behind a ReLU. Without one code `zero` > 0 stands
// for 0 (model/format/zero_points.h): of (x - step * (clamp(rne(x / step + zero), 0, highest) - zero))^2.
double StepError(std::span<const float> values, int highest, int zero, double step);

// The step > 0 that makes it least, searched on a grid between a fifth more than reaches all values and a hundredth of
// that, 3 % apart, and then 0.3 % around the best. 1 where there is no value but 0, behind a ReLU no positive one.
double BestActivationStep(std::span<const float> values, int highest, int zero = 0);

}  // namespace anybit

#endif  // ANYBIT_MODEL_TRAIN_CONVERT_ACTIVATION_STEP_H_
