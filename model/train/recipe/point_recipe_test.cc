#include "model/train/recipe/point_recipe.h"

#include <gtest/gtest.h>

namespace anybit::model::train {
namespace {

TEST(ParsePoints, KnowsTheDefaultLadder) {
  const std::vector<PointRecipe> points = *ParsePoints(kDefaultPoints);
  ASSERT_EQ(points.size(), 5u);
  EXPECT_TRUE(points[0].full_precision);
  EXPECT_EQ(points[1].weights, (CodeRange{.step = 1, .lo = -127, .hi = 127}));
  EXPECT_EQ(points[1].highest_code, 255);
  EXPECT_EQ(points[2].weights, (CodeRange{.step = 21, .lo = -6, .hi = 6}));
  EXPECT_EQ(points[2].highest_code, 12);
  EXPECT_EQ(points[3].weights, (CodeRange{.step = 51, .lo = -2, .hi = 2}));
  EXPECT_EQ(points[3].highest_code, 2);
  EXPECT_TRUE(points[4].weights.sign);
  EXPECT_EQ(points[4].highest_code, 1);
}

TEST(ParsePoints, KnowsBothPrecisionsOfFloats) {
  const std::vector<PointRecipe> points = *ParsePoints("fp32,bf16");
  EXPECT_TRUE(points[0].full_precision && points[1].full_precision);
  EXPECT_EQ(points[0].weight_bits, 32);
  EXPECT_EQ(points[1].weight_bits, 16);
  EXPECT_EQ(points[1].activation_bits, 16);
}

TEST(ParsePoints, TakesStandardCustomAndTimedPoints) {
  const std::vector<PointRecipe> points = *ParsePoints("w2a2, odd=9/-3/5/100@4");
  EXPECT_EQ(points[0].weights, (CodeRange{.step = 64, .lo = -2, .hi = 1}));
  EXPECT_EQ(points[0].highest_code, 3);
  EXPECT_EQ(points[0].interval, 1);
  EXPECT_EQ(points[1].name, "odd");
  EXPECT_EQ(points[1].weights, (CodeRange{.step = 9, .lo = -3, .hi = 5}));
  EXPECT_EQ(points[1].weight_bits, 4);
  EXPECT_EQ(points[1].activation_bits, 7);
  EXPECT_EQ(points[1].interval, 4);
}

TEST(ParsePoints, NamesWhatItDoesNotKnow) {
  const auto error = [](const char* list) { return std::string(ParsePoints(list).status().message()); };
  EXPECT_EQ(error("w9a8"),
            "unknown operating point 'w9a8': expected fp32, bf16, w<1..8>a<1..8>, w5a6f, w4a4f, w3a2f or "
            "NAME=STEP/LO/HI/HIGHEST");
  EXPECT_EQ(error("w8a8,w8a8"), "operating point 'w8a8' is named twice");
  EXPECT_EQ(error("w8a8@0"), "interval '0' in 'w8a8@0' is not a number >= 1");
  EXPECT_EQ(error("x=1/2"), "operating point 'x=1/2' is not NAME=STEP/LO/HI/HIGHEST");
  EXPECT_EQ(error("x=4/-1/1/300"), "operating point 'x': highest activation code 300 is outside 1..255");
  EXPECT_EQ(error("store=9/-3/5/100"), "operating point name 'store' is reserved");
  EXPECT_EQ(error("a.b=9/-3/5/100"), "operating point name 'a.b' has a character outside [a-z0-9_]");
  EXPECT_EQ(error("=9/-3/5/100"), "operating point name of 0 characters, expected 1..64");
  EXPECT_EQ(error("x=6/-1/1/3"), "operating point 'x': weight step 6 is neither odd nor a power of two");
}

}  // namespace
}  // namespace anybit::model::train
