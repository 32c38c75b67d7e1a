// The learning rate of every step, a pure function.
#ifndef ANYBIT_MODEL_TRAIN_RECIPE_LEARNING_RATE_H_
#define ANYBIT_MODEL_TRAIN_RECIPE_LEARNING_RATE_H_

#include <cstdint>

namespace anybit {

struct LearningRate {
  double peak = 0;
  double joint_peak = 0;    // of the second phase
  double warm_up = 0.1;     // share of a phase that rises linearly
  int64_t start_steps = 0;  // the full-precision start, then
  int64_t joint_steps = 0;  // the joint phase

  // Each phase rises, then follows half a cosine to 0.
  double At(int64_t step) const;
};

}  // namespace anybit

#endif  // ANYBIT_MODEL_TRAIN_RECIPE_LEARNING_RATE_H_
