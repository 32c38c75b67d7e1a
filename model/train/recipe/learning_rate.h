// The learning rate of each step as a pure function.
#ifndef ANYBIT_MODEL_TRAIN_RECIPE_LEARNING_RATE_H_
#define ANYBIT_MODEL_TRAIN_RECIPE_LEARNING_RATE_H_

#include <cstdint>

namespace anybit::model::train {

struct LearningRate {
  double peak = 0;          // of the first phase, the full-precision start
  double joint_peak = 0;    // of the second phase, joint training
  double warm_up = 0.1;     // share of a phase in which the rate rises linearly
  int64_t start_steps = 0;  // length of the first phase
  int64_t joint_steps = 0;  // length of the second phase

  // In each phase the rate rises to the peak, then falls along half a cosine to 0.
  double At(int64_t step) const;
};

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_RECIPE_LEARNING_RATE_H_
