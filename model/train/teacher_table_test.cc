#include "model/train/teacher_table.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "model/train/testing/runs.h"

namespace anybit::model::train {
namespace {

void Teach(PointResult& student, const std::string& teacher, int64_t steps) {
  TeacherSteps& taught = *student.add_teachers();
  taught.set_name(teacher);
  taught.set_steps(steps);
}

TEST(TeacherTable, HasTheShareOfEachTeacherOverAllRunsOfARecipe) {
  std::vector<TrainingRun> runs = TwoRecipes();  // points w1a1, w8a8, fp32
  EXPECT_EQ(TeacherTable(runs), "");
  Teach(*runs[0].mutable_points(0), "fp32", 30);
  Teach(*runs[0].mutable_points(0), "w8a8", 20);
  Teach(*runs[1].mutable_points(0), "w8a8", 50);
  Teach(*runs[0].mutable_points(1), "fp32", 50);
  EXPECT_EQ(TeacherTable(runs),
            "| recipe  | student |  fp32 | w8a8 |\n"
            "|---------|--------:|------:|-----:|\n"
            "| coquant |    w8a8 | 100.0 |    - |\n"
            "| coquant |    w1a1 |  30.0 | 70.0 |\n");
}

}  // namespace
}  // namespace anybit::model::train
