// The choice of teachers: pure functions of the points and of the measurements of one step.
#ifndef ANYBIT_MODEL_TRAIN_RECIPE_TEACHER_H_
#define ANYBIT_MODEL_TRAIN_RECIPE_TEACHER_H_

#include <cstdint>
#include <span>
#include <vector>

#include "model/train/recipe/point_recipe.h"
#include "model/train/recipe/recipe.h"

namespace anybit::model::train {

inline constexpr PointIndex kNoTeacher = -1;

// Number of weight levels times number of activation levels; infinite at full precision.
double Precision(const PointRecipe& point);

// The points ordered by falling precision; equal ones keep their order.
std::vector<PointIndex> HighestFirst(std::span<const PointRecipe> points);

// A possible teacher and the measurements that the rules compare. A measurement that the rule in force does not compare
// may stay 0.
struct TeacherCandidate {
  PointIndex point = kNoTeacher;
  double loss = 0;        // label loss on this batch
  double divergence = 0;  // KL(this point || student) on this batch
};

// The points of `due` (highest first) with strictly higher precision than `student`, in the same order.
std::vector<PointIndex> PossibleTeachers(std::span<const PointRecipe> points, std::span<const PointIndex> due,
                                         PointIndex student);

// A point of `candidates` (highest first), or kNoTeacher where there is none or the rule is kNone. `draw` decides
// kRandom only. Ties go to the candidate nearest in precision; NaN never wins against a number.
PointIndex ChooseTeacher(TeacherRule rule, std::span<const TeacherCandidate> candidates, uint64_t draw);

// Whether students learn from a teacher's logits at `progress` (0..1) of joint training.
bool Distills(const Recipe& recipe, double progress);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_RECIPE_TEACHER_H_
