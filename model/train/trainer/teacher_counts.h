// How often each point taught each other one: the histogram of the teachers that were chosen.
#ifndef ANYBIT_MODEL_TRAIN_TRAINER_TEACHER_COUNTS_H_
#define ANYBIT_MODEL_TRAIN_TRAINER_TEACHER_COUNTS_H_

#include <torch/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "model/train/recipe/point_recipe.h"

namespace anybit::model::train {

class TeacherCounts {
 public:
  explicit TeacherCounts(size_t points);

  void Add(PointIndex student, PointIndex teacher);

  // The number of steps in which `teacher` gave `student` its logits, its blocks, or both.
  int64_t Of(PointIndex student, PointIndex teacher) const;

  // A line for each student that was taught: "teachers of w4a4: fp32 25.0 %, w8a8 75.0 % of 400 steps".
  std::string Text(const std::vector<PointRecipe>& points) const;

  // [students, teachers], for a checkpoint, which keeps numbers up to 2^24 exactly; can be read and written.
  const torch::Tensor& tensor() const { return counts_; }

 private:
  torch::Tensor counts_;  // on the CPU: only the first process of a group saves and reports them
};

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_TRAINER_TEACHER_COUNTS_H_
