#include "model/train/run_statistics.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "model/train/testing/runs.h"

namespace anybit::model::train {
namespace {

TEST(HalfInterval95, IsStudentsTTimesTheStandardErrorOfTheMean) {
  EXPECT_NEAR(HalfInterval95(SpreadOf({1, 2, 3, 4, 5})), 2.776 * 1.5811388 / 2.2360680, 1e-4);
  EXPECT_NEAR(HalfInterval95(SpreadOf({0, 2})), 12.706, 1e-9);
  EXPECT_EQ(HalfInterval95(SpreadOf({3})), 0);
  EXPECT_EQ(HalfInterval95(SpreadOf({})), 0);
  EXPECT_NEAR(HalfInterval95({.deviation = 10, .count = 100}), 2.042, 1e-9);
}

TEST(BestRecipes, AreTheHighestHeldOutMeansWithoutTheBaseline) {
  const std::vector<TrainingRun> runs = {MakeRun("labels", 1, {PointOf("w8a8", 8, 8, .99)}),
                                         MakeRun("low", 1, {PointOf("w8a8", 8, 8, .5), PointOf("w2a2", 2, 2, .5)}),
                                         MakeRun("high", 1, {PointOf("w8a8", 8, 8, .7), PointOf("w2a2", 2, 2, .7)}),
                                         MakeRun("low", 2, {PointOf("w8a8", 8, 8, .9), PointOf("w2a2", 2, 2, .8)})};
  EXPECT_EQ(BestRecipes(runs, 1), std::vector<std::string>{"high"});
  EXPECT_EQ(BestRecipes(runs, 9), (std::vector<std::string>{"high", "low"}));
  EXPECT_TRUE(BestRecipes({}, 3).empty());
}

}  // namespace
}  // namespace anybit::model::train
