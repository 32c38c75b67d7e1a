// Who teaches whom: pure functions of the points and of what one step has measured.
#ifndef ANYBIT_MODEL_TRAIN_RECIPE_TEACHER_H_
#define ANYBIT_MODEL_TRAIN_RECIPE_TEACHER_H_

#include <cstdint>
#include <span>
#include <vector>

#include "model/train/recipe/point_recipe.h"
#include "model/train/recipe/recipe.h"

namespace anybit {

inline constexpr int kNoTeacher = -1;

// Levels of a weight times levels of an activation; infinite at full precision.
double Precision(const PointRecipe& point);

// Indices of `points`, the highest precision first, equal ones in their order.
std::vector<int> HighestFirst(std::span<const PointRecipe> points);

// A point that could teach, with what the rules ask about it; what the rule in force does not ask may be left 0.
struct TeacherCandidate {
  int point = kNoTeacher;
  double loss = 0;        // of the labels, on this batch
  double divergence = 0;  // KL(this point || student) on this batch
};

// The points among `due`, highest first, that can teach `student`: those of strictly higher precision.
std::vector<int> PossibleTeachers(std::span<const PointRecipe> points, std::span<const int> due, int student);

// One of `candidates` (highest first), or kNoTeacher if there is none or the rule says so. `draw` decides kRandom only;
// ties go to the nearest in precision, and a value that is no number never wins against one that is.
int ChooseTeacher(TeacherRule rule, std::span<const TeacherCandidate> candidates, uint64_t draw);

}  // namespace anybit

#endif  // ANYBIT_MODEL_TRAIN_RECIPE_TEACHER_H_
