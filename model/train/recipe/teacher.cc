#include "model/train/recipe/teacher.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace anybit::model::train {
namespace {

// The candidate with the smallest value; of equal ones the last, which is nearest to the student in precision.
template <typename Value>
PointIndex Least(std::span<const TeacherCandidate> candidates, Value value) {
  const TeacherCandidate* best = &candidates.back();
  for (const TeacherCandidate& candidate : candidates) {
    if (std::isnan(value(*best)) || value(candidate) < value(*best)) best = &candidate;
  }
  return best->point;
}

}  // namespace

double Precision(const PointRecipe& point) {
  if (point.full_precision) return std::numeric_limits<double>::infinity();
  const int weight_levels = point.weights.sign ? 2 : point.weights.hi - point.weights.lo + 1;
  return static_cast<double>(weight_levels) * (point.highest_code + 1);
}

std::vector<PointIndex> HighestFirst(std::span<const PointRecipe> points) {
  std::vector<PointIndex> order(points.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](PointIndex a, PointIndex b) { return Precision(points[a]) > Precision(points[b]); });
  return order;
}

std::vector<PointIndex> PossibleTeachers(std::span<const PointRecipe> points, std::span<const PointIndex> due,
                                         PointIndex student) {
  std::vector<PointIndex> teachers;
  for (PointIndex point : due) {
    if (Precision(points[point]) > Precision(points[student])) teachers.push_back(point);
  }
  return teachers;
}

PointIndex ChooseTeacher(TeacherRule rule, std::span<const TeacherCandidate> candidates, uint64_t draw) {
  if (candidates.empty()) return kNoTeacher;
  switch (rule) {
    case TeacherRule::kNone: return kNoTeacher;
    case TeacherRule::kNext: return candidates.back().point;
    case TeacherRule::kHighest: return candidates.front().point;
    case TeacherRule::kRandom: return candidates[draw % candidates.size()].point;
    case TeacherRule::kLowestLoss: return Least(candidates, [](const TeacherCandidate& c) { return c.loss; });
    case TeacherRule::kClosest: return Least(candidates, [](const TeacherCandidate& c) { return c.divergence; });
  }
  return kNoTeacher;
}

bool Distills(const Recipe& recipe, double progress) {
  return recipe.loss != LossRule::kLabels && progress >= recipe.distill_begin && progress < recipe.distill_end;
}

}  // namespace anybit::model::train
