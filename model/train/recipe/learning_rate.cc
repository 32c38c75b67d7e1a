#include "model/train/recipe/learning_rate.h"

#include <cmath>
#include <numbers>

namespace anybit::model::train {

double LearningRate::At(int64_t step) const {
  const bool start = step < start_steps;
  const double top = start ? peak : joint_peak;
  const double length = static_cast<double>(start ? start_steps : joint_steps);
  const double done = static_cast<double>(start ? step : step - start_steps) / length;
  if (done < warm_up) return top * (done + 1 / length) / (warm_up + 1 / length);
  return top * 0.5 * (1 + std::cos(std::numbers::pi * (done - warm_up) / (1 - warm_up)));
}

}  // namespace anybit::model::train
