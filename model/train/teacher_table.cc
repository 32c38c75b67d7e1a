#include "model/train/teacher_table.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <vector>

#include "absl/strings/str_format.h"
#include "model/train/run_statistics.h"
#include "report/markdown_table.h"

namespace anybit::model::train {
namespace {

// The steps by teacher of `student` over the runs of `recipe`.
std::map<std::string, int64_t> StepsByTeacher(std::span<const TrainingRun> runs, const std::string& recipe,
                                              const std::string& student) {
  std::map<std::string, int64_t> steps;
  for (const TrainingRun& run : runs) {
    if (run.recipe() != recipe) continue;
    for (const PointResult& point : run.points()) {
      if (point.name() != student) continue;
      for (const TeacherSteps& teacher : point.teachers()) steps[teacher.name()] += teacher.steps();
    }
  }
  return steps;
}

}  // namespace

std::string TeacherTable(std::span<const TrainingRun> runs) {
  const std::vector<PointResult> points = PointsOf(runs);
  std::vector<std::string> teachers;  // in the order of the points
  for (const PointResult& point : points) {
    const bool teaches = std::any_of(runs.begin(), runs.end(), [&](const TrainingRun& run) {
      return std::any_of(points.begin(), points.end(), [&](const PointResult& student) {
        return StepsByTeacher({&run, 1}, run.recipe(), student.name()).contains(point.name());
      });
    });
    if (teaches) teachers.push_back(point.name());
  }
  if (teachers.empty()) return "";
  std::vector<std::vector<std::string>> rows = {{"recipe", "student"}};
  rows[0].insert(rows[0].end(), teachers.begin(), teachers.end());
  for (const std::string& recipe : RecipesOf(runs)) {
    for (const PointResult& student : points) {
      const std::map<std::string, int64_t> steps = StepsByTeacher(runs, recipe, student.name());
      if (steps.empty()) continue;
      int64_t all = 0;
      for (const auto& [teacher, count] : steps) all += count;
      std::vector<std::string>& row = rows.emplace_back(std::vector<std::string>{recipe, student.name()});
      for (const std::string& teacher : teachers) {
        const auto found = steps.find(teacher);
        row.push_back(found == steps.end() ? "-"
                                           : absl::StrFormat("%.1f", 100 * static_cast<double>(found->second) /
                                                                         static_cast<double>(all)));
      }
    }
  }
  return report::MarkdownTable(rows);
}

}  // namespace anybit::model::train
