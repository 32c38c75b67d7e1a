// The choice of a teacher among the passes of a training step: measures what the recipe's rule compares, over all
// processes, and applies the rule (model/train/recipe/teacher.h).
#ifndef ANYBIT_MODEL_TRAIN_TRAINER_TEACHER_CHOICE_H_
#define ANYBIT_MODEL_TRAIN_TRAINER_TEACHER_CHOICE_H_

#include <torch/types.h>

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "model/train/processes/process_group.h"
#include "model/train/recipe/point_recipe.h"
#include "model/train/recipe/recipe.h"
#include "model/train/recipe/teacher.h"

namespace anybit::model::train {

// Shown in the log of steps; see Saturation and GradientMeter.
struct PassMeasures {
  double gradient_norm = 0;
  double saturated = 0;
};

// Forward and backward at one point, finished, as the later points of the same step see it. Tensors have no gradient.
struct PointPass {
  PointIndex point = 0;
  torch::Tensor logits;       // [N, classes], that the point teaches
  torch::Tensor label_loss;   // of these logits: scalar, mean over all processes
  torch::Tensor routed_loss;  // the same of the pass itself, with its swapped blocks
  PointIndex teacher = kNoTeacher;
  std::optional<PassMeasures> measures = {};
};

class TeacherChoice {
 public:
  // `recipe`, `points` and `group` (null: this process alone) must outlive it.
  TeacherChoice(const Recipe& recipe, const std::vector<PointRecipe>& points, uint64_t seed, ProcessGroup* group)
      : recipe_(recipe), points_(points), seed_(seed), group_(group) {}

  // The teacher of `student` in `step`: an element of `done`, highest precision first, or null where no point may
  // teach. `student_logits` are compared under TeacherRule::kClosest alone; undefined otherwise. The errors of the
  // group.
  absl::StatusOr<const PointPass*> Choose(int64_t step, PointIndex student, std::span<const PointPass> done,
                                          const torch::Tensor& student_logits) const;

 private:
  const Recipe& recipe_;
  const std::vector<PointRecipe>& points_;
  const uint64_t seed_;
  ProcessGroup* const group_;
};

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_TRAINER_TEACHER_CHOICE_H_
