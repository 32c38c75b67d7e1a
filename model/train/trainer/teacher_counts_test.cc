#include "model/train/trainer/teacher_counts.h"

#include <gtest/gtest.h>

namespace anybit::model::train {
namespace {

TEST(TeacherCounts, CountTheStepsOfEachStudentByTeacher) {
  const std::vector<PointRecipe> points = *ParsePoints("fp32,w8a8,w4a4");
  TeacherCounts counts(points.size());
  EXPECT_EQ(counts.Text(points), "");
  for (int step = 0; step < 3; ++step) counts.Add(2, 1);
  counts.Add(2, 0);
  counts.Add(1, 0);
  EXPECT_EQ(counts.Of(2, 1), 3);
  EXPECT_EQ(counts.Of(2, 0), 1);
  EXPECT_EQ(counts.Of(0, 1), 0);
  EXPECT_EQ(counts.Text(points),
            "teachers of w8a8: fp32 100.0 % of 1 steps\n"
            "teachers of w4a4: fp32 25.0 %, w8a8 75.0 % of 4 steps\n");
}

}  // namespace
}  // namespace anybit::model::train
