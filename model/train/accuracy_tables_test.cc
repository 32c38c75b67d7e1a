#include "model/train/accuracy_tables.h"

#include <span>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/train/testing/runs.h"

namespace anybit::model::train {
namespace {

using ::testing::HasSubstr;

TEST(AccuracyTable, HasAMeanAndASampleDeviationPerRecipeAndPointFromMoreBitsToLess) {
  EXPECT_EQ(AccuracyTable(TwoRecipes(), AccuracyOf::kHeldOut),
            "| recipe   |         fp32 |         w8a8 |         w1a1 |\n"
            "|----------|-------------:|-------------:|-------------:|\n"
            "| coquant  | 92.00 ± 0.00 | 91.00 ± 0.00 | 85.00 ± 1.41 |\n"
            "| separate |            - |        90.50 |            - |\n");
}

TEST(AccuracyTable, ShowsNoTestAccuracyThatWasNotMeasured) {
  EXPECT_THAT(AccuracyTable(TwoRecipes(), AccuracyOf::kTest), HasSubstr("| coquant  |    - |    - |    - |"));
}

TEST(DifferenceTable, ComparesRunsWithThoseOfTheFirstRecipeWithTheSameSeed) {
  std::vector<TrainingRun> runs = TwoRecipes();
  runs.push_back(MakeRun("separate", 2, {PointOf("w8a8", 8, 8, .92)}));
  runs.push_back(MakeRun("separate", 3, {PointOf("w8a8", 8, 8, .5)}));  // a seed without a run of the first recipe
  EXPECT_EQ(DifferenceTable(runs, AccuracyOf::kHeldOut),
            "| recipe   | fp32 |         w8a8 | w1a1 |\n"
            "|----------|-----:|-------------:|-----:|\n"
            "| separate |    - | +0.25 ± 1.06 |    - |\n");
  // Two values: 12.706 standard errors.
  EXPECT_THAT(DifferenceTable(runs, AccuracyOf::kHeldOut, Uncertainty::kInterval95), HasSubstr("| +0.25 ± 9.53 |"));
  EXPECT_EQ(DifferenceTable(std::span(runs).first(2), AccuracyOf::kHeldOut), "");
}

}  // namespace
}  // namespace anybit::model::train
