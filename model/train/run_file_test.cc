#include "model/train/run_file.h"

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/train/testing/runs.h"

namespace anybit::model::train {
namespace {

using ::testing::HasSubstr;

TEST(ResultOf, CountsTheLevelsOfAPoint) {
  const std::vector<PointRecipe> points = *ParsePoints("fp32,w8a8,w3a2f,w1a1");
  const auto bits = [&](int i) {
    const PointResult result = ResultOf(points[i]);
    return std::pair(result.weight_bits(), result.activation_bits());
  };
  EXPECT_EQ(bits(0), std::pair(32.0, 32.0));
  EXPECT_EQ(bits(1), std::pair(std::log2(255.0), 8.0));
  EXPECT_EQ(bits(2), std::pair(std::log2(5.0), std::log2(3.0)));
  EXPECT_EQ(bits(3), std::pair(1.0, 1.0));
  EXPECT_EQ(ResultOf(points[2]).name(), "w3a2f");
}

TEST(ParseRun, ReadsTheTextOfSerializeRun) {
  const TrainingRun run = TwoRecipes()[0];
  const absl::StatusOr<TrainingRun> again = ParseRun(SerializeRun(run));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->SerializeAsString(), run.SerializeAsString());
}

TEST(ParseRun, RefusesOtherTexts) {
  EXPECT_THAT(std::string(ParseRun("{").status().message()), HasSubstr("not a training run"));
  EXPECT_THAT(std::string(ParseRun("{}").status().message()), HasSubstr("names no recipe"));
  EXPECT_EQ(ParseRun(SerializeRun(MakeRun("r", 1, {PointOf("p", 1, 1, 1.5)}))).status().message(),
            "point 'p': accuracy 1.5 is outside 0..1");
  EXPECT_EQ(ParseRun(SerializeRun(MakeRun("r", 1, {PointOf("p", 0, 1, .5)}))).status().message(),
            "point 'p': 0 bits are outside 0..32");
}

TEST(BitsOfLevels, IsTheLogarithmOfTheirNumber) {
  EXPECT_EQ(BitsOfLevels(2), 1);
  EXPECT_NEAR(BitsOfLevels(13), 3.70, 0.005);
}

}  // namespace
}  // namespace anybit::model::train
