#include "model/train/trainer/teacher_choice.h"

#include <algorithm>

#include "model/train/network/losses.h"
#include "model/train/recipe/chance.h"
#include "model/train/recipe/teacher.h"

namespace anybit::model::train {
namespace {

const PointPass* FindPass(std::span<const PointPass> passes, PointIndex point) {
  const auto found = std::find_if(passes.begin(), passes.end(), [&](const PointPass& p) { return p.point == point; });
  return found == passes.end() ? nullptr : &*found;
}

}  // namespace

absl::StatusOr<const PointPass*> TeacherChoice::Choose(int64_t step, PointIndex student,
                                                       std::span<const PointPass> done,
                                                       const torch::Tensor& student_logits) const {
  std::vector<PointIndex> points;
  for (const PointPass& pass : done) points.push_back(pass.point);
  std::vector<TeacherCandidate> candidates;
  for (PointIndex point : PossibleTeachers(points_, points, student)) {
    const PointPass& pass = *FindPass(done, point);
    TeacherCandidate& candidate = candidates.emplace_back(TeacherCandidate{.point = point});
    // Reading a number waits for the device, so it is read only for the rule that compares it.
    if (recipe_.teacher == TeacherRule::kLowestLoss) candidate.loss = pass.label_loss.item<double>();
    if (recipe_.teacher == TeacherRule::kClosest) {
      const absl::StatusOr<torch::Tensor> divergence =
          MeanOverGroup(group_, TeacherLoss(student_logits, pass.logits, /*temperature=*/1));
      if (!divergence.ok()) return divergence.status();
      candidate.divergence = divergence->item<double>();
    }
  }
  const uint64_t draw = Draw(seed_, Purpose::kTeacher, {static_cast<uint64_t>(step), static_cast<uint64_t>(student)});
  return FindPass(done, ChooseTeacher(recipe_.teacher, candidates, draw));
}

}  // namespace anybit::model::train
