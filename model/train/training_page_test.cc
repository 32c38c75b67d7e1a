#include "model/train/training_page.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/train/testing/runs.h"

namespace anybit::model::train {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(TrainingPage, HasTheNetworkTheDurationAndTheCommands) {
  std::vector<TrainingRun> runs = TwoRecipes();
  runs[2].mutable_points(0)->set_test_images(10000);
  runs[2].mutable_points(0)->set_test_accuracy(.9);
  const std::string page = TrainingPage("Recipes", runs);
  EXPECT_THAT(page, HasSubstr("# Recipes\n\nfashion on fashion-mnist."));
  EXPECT_THAT(page, HasSubstr("| coquant  |    2 |   1 2 |                     1.5 |"));
  EXPECT_THAT(page, HasSubstr("## Test set"));
  EXPECT_THAT(page, HasSubstr("```\nanybit-train --recipe=coquant\nanybit-train --recipe=separate\n```"));
}

TEST(TrainingPage, ComparesRunsOfTheSameSeed) {
  std::vector<TrainingRun> runs = TwoRecipes();
  runs.push_back(MakeRun("separate", 2, {PointOf("w8a8", 8, 8, .92)}));
  EXPECT_THAT(TrainingPage("t", runs), HasSubstr("Above `coquant`, runs of the same seed:\n\n| recipe   | fp32"));
  EXPECT_THAT(
      TrainingPage("t", runs, Uncertainty::kInterval95),
      HasSubstr("Above `coquant`, runs of the same seed, mean ± half of the 95 % t-interval:\n\n| recipe   | fp32"));
}

TEST(TrainingPage, HasTheTeachersOfRunsThatWereTaught) {
  std::vector<TrainingRun> runs = TwoRecipes();
  EXPECT_THAT(TrainingPage("t", runs), Not(HasSubstr("Teachers")));
  TeacherSteps& taught = *runs[0].mutable_points(0)->add_teachers();
  taught.set_name("fp32");
  taught.set_steps(7);
  EXPECT_THAT(TrainingPage("t", runs), HasSubstr("## Teachers\n\nShare of a student's taught steps, %:\n\n| recipe"));
}

TEST(TrainingPage, HasNoTestAccuracyThatWasNotMeasured) {
  EXPECT_THAT(TrainingPage("t", TwoRecipes()), Not(HasSubstr("Test set")));
}

}  // namespace
}  // namespace anybit::model::train
