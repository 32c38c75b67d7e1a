#include "model/train/trainer/learning_rate_range.h"

#include <filesystem>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

#include "model/train/testing/stripes.h"
#include "model/train/testing/training.h"

namespace anybit::model::train {
namespace {

RangeCurve Tested(const TrainerOptions& options, const char* range, const char* points = kPoints) {
  std::ostringstream progress;
  return *TestRange(StripesNetwork(), *ParsePoints(points), Stripes(500, 1), options, *ParseRateRange(range, 60),
                    progress, /*live=*/false);
}

TEST(TestRange, FindsRatesThatLearnAndStopsWhereTheyDiverge) {
  TrainerOptions options = SmallOptions();
  options.sgd = true;
  const RangeCurve curve = Tested(options, "1e-4:100");
  ASSERT_TRUE(curve.Divergence().has_value());
  EXPECT_LT(curve.losses().size(), 60u);
  ASSERT_TRUE(SuggestedRate(curve).has_value());
  // The suggestion trains; a rate beyond the divergence does not (trainer_test).
  options.learning_rate = SuggestedRate(curve)->rate;
  for (const double accuracy : Served(*TrainSmall(options, "fp32"))) EXPECT_GT(accuracy, 0.75);
}

TEST(TestRange, IsOfTheFirstPhaseOfTheTraining) {
  TrainerOptions options = SmallOptions();
  const RangeCurve full_precision = Tested(options, "1e-4:1e-2"), alone = Tested(options, "1e-4:1e-2", "fp32");
  EXPECT_EQ(full_precision.losses(), alone.losses());
  options.start_steps = 0;
  const RangeCurve joint = Tested(options, "1e-4:1e-2");
  EXPECT_EQ(joint.losses().size(), 60u);
  EXPECT_NE(joint.losses(), full_precision.losses());
}

TEST(TestRange, BeginsWithTheWeightsOfTheStart) {
  TrainerOptions options = SmallOptions();
  options.joint_steps = 0;
  const Artifact start = *TrainSmall(options, "fp32");
  const double untrained = Tested(options, "1e-9:1e-8").losses().front();
  options.start = &start;
  EXPECT_LT(Tested(options, "1e-9:1e-8").losses().front(), untrained / 2);
}

TEST(TestRange, LeavesTheCheckpointAlone) {
  TrainerOptions options = SmallOptions();
  options.checkpoint = testing::TempDir() + "/learning_rate_range_test.ckpt";
  std::filesystem::remove(options.checkpoint);
  Tested(options, "1e-4:1e-2");
  EXPECT_FALSE(std::filesystem::exists(options.checkpoint));
}

}  // namespace
}  // namespace anybit::model::train
