#include "model/train/trainer/teacher_counts.h"

#include "absl/strings/str_format.h"

namespace anybit::model::train {

TeacherCounts::TeacherCounts(size_t points)
    : counts_(torch::zeros({static_cast<int64_t>(points), static_cast<int64_t>(points)}, torch::kFloat64)) {}

void TeacherCounts::Add(PointIndex student, PointIndex teacher) {
  ++counts_.mutable_data_ptr<double>()[student * counts_.size(1) + teacher];
}

int64_t TeacherCounts::Of(PointIndex student, PointIndex teacher) const {
  return static_cast<int64_t>(counts_.const_data_ptr<double>()[student * counts_.size(1) + teacher]);
}

std::string TeacherCounts::Text(const std::vector<PointRecipe>& points) const {
  std::string text;
  const auto count = static_cast<PointIndex>(points.size());
  for (PointIndex student = 0; student < count; ++student) {
    int64_t steps = 0;
    for (PointIndex teacher = 0; teacher < count; ++teacher) steps += Of(student, teacher);
    if (steps == 0) continue;
    std::string separator = absl::StrFormat("teachers of %s: ", points[student].name);
    for (PointIndex teacher = 0; teacher < count; ++teacher) {
      if (Of(student, teacher) == 0) continue;
      const double share = 100 * static_cast<double>(Of(student, teacher)) / static_cast<double>(steps);
      absl::StrAppendFormat(&text, "%s%s %.1f %%", separator, points[teacher].name, share);
      separator = ", ";
    }
    absl::StrAppendFormat(&text, " of %d steps\n", steps);
  }
  return text;
}

}  // namespace anybit::model::train
