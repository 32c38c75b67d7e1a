#include "model/train/trainer/separate_training.h"

#include <filesystem>
#include <sstream>
#include <vector>

#include <gtest/gtest.h>

#include "model/train/testing/stripes.h"
#include "model/train/testing/training.h"

namespace anybit::model::train {
namespace {

TEST(TrainSeparately, GivesEachPointWhatTheOthersCannotTouch) {
  TrainerOptions options = SmallOptions("separate");
  options.start_steps = 15;
  std::ostringstream progress;
  const auto run = [&](const char* points) {
    return *TrainSeparately(StripesNetwork(), *ParsePoints(points), Stripes(500, 1), options, progress, false);
  };
  const std::vector<TrainingResult> two = run("w4a4,w1a1"), one = run("w1a1");
  ASSERT_EQ(two.size(), 2u);
  EXPECT_EQ(two[0].artifact.points[0].info.name, "w4a4");
  EXPECT_TRUE(two[0].artifact.store[0].full.empty());  // the result does not have the start
  EXPECT_NE(two[0].artifact.store[1].q8, two[1].artifact.store[1].q8);
  EXPECT_EQ(SerializeArtifact(two[1].artifact), SerializeArtifact(one[0].artifact));
}

TEST(TrainSeparately, GivesAPointAsManyStepsAsItHasInAJointRun) {
  TrainerOptions options = SmallOptions("separate");
  options.start_steps = 0;
  options.progress_interval = 1;
  std::ostringstream progress;
  ASSERT_TRUE(
      TrainSeparately(StripesNetwork(), *ParsePoints("w4a4@4"), Stripes(500, 1), options, progress, false).ok());
  EXPECT_NE(progress.str().find(" 10/10 "), std::string::npos) << progress.str();
}

TEST(TrainSeparately, GivesEachPointOtherBatchesThanTheStartHad) {
  TrainerOptions options = SmallOptions("separate");
  options.start_steps = options.joint_steps = 1;
  std::ostringstream progress;
  const auto alone =
      *TrainSeparately(StripesNetwork(), *ParsePoints("fp32"), Stripes(500, 1), options, progress, false);
  options.start_steps = 1;
  options.joint_steps = 0;
  const Artifact start = *TrainSmall(options, "fp32");
  options.start = &start;
  options.start_steps = 0;
  options.joint_steps = 1;
  options.first_batch = 1;
  EXPECT_EQ(alone[0].artifact.store[1].full, TrainSmall(options, "fp32")->store[1].full);
  options.first_batch = 0;
  EXPECT_NE(alone[0].artifact.store[1].full, TrainSmall(options, "fp32")->store[1].full);
}

TEST(TrainSeparately, KeepsTheBestNetworkOfEachPoint) {
  TrainerOptions options = SmallOptions("separate");
  options.start_steps = 4;
  options.joint_steps = 12;
  options.evaluation_interval = 3;
  options.keep_best = "w1a1";
  options.tensorboard = testing::TempDir() + "/separate_training_test";
  std::filesystem::remove_all(options.tensorboard);
  std::ostringstream progress;
  const auto results =
      *TrainSeparately(StripesNetwork(), *ParsePoints("w4a4,w1a1"), Stripes(500, 1), options, progress, false);
  for (const TrainingResult& result : results) EXPECT_GT(result.step, 0);
  for (const char* run : {"start", "w4a4", "w1a1"}) {
    EXPECT_FALSE(std::filesystem::is_empty(options.tensorboard + "/" + run)) << run;
  }
}

}  // namespace
}  // namespace anybit::model::train
