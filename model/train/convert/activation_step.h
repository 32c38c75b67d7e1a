// The step of an activation quantizer with the smallest squared error on sample values.
#ifndef ANYBIT_MODEL_TRAIN_CONVERT_ACTIVATION_STEP_H_
#define ANYBIT_MODEL_TRAIN_CONVERT_ACTIVATION_STEP_H_

#include <functional>
#include <span>

namespace anybit::model::train {

// The mean squared error of quantization. After a ReLU (`zero` 0): of (max(x, 0) - step * clamp(rne(x / step), 0,
// highest))^2. Without a ReLU code `zero` > 0 stands for 0 (model/format/zero_points.h): of (x - step * (clamp(rne(x /
// step + zero), 0, highest) - zero))^2.
double StepError(std::span<const float> values, int highest, int zero, double step);

// The step > 0 with the smallest StepError. It is searched on a grid of ratio 1.03 from 1.2 times the step that reaches
// all values down to a hundredth of it, then with ratio 1.003 around the best. 1 where no value needs a code but zero.
double BestActivationStep(std::span<const float> values, int highest, int zero = 0);

// A quantizer whose zero code is free: of codes 0..highest, `zero` stands for 0.
struct ActivationRange {
  double step = 1;
  int zero = 0;
};

// The range with the smallest error, searched like BestActivationStep. The zero code is 0 where no value is below 0.
ActivationRange BestActivationRange(std::span<const float> values, int highest);

// The values lo, lo + step, ..., lo + 255 step, to which a value is rounded before an activation's table.
struct TableRange {
  double lo = 0, step = 1;
};

// The range that gives `function` of rounded values the smallest squared error against `function` of `values`.
TableRange BestTableRange(std::span<const float> values, const std::function<float(float)>& function);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_CONVERT_ACTIVATION_STEP_H_
