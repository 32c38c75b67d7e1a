#include "model/train/accuracy_figure.h"

#include <algorithm>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/train/testing/runs.h"

namespace anybit::model::train {
namespace {

using ::testing::HasSubstr;

TEST(AccuracyFigure, DrawsALinePerRecipeAndBarsWhereSeedsDiffer) {
  const std::string svg = AccuracyFigure(TwoRecipes(), AccuracyOf::kHeldOut, "caption");
  EXPECT_THAT(svg, HasSubstr(">coquant<"));
  EXPECT_THAT(svg, HasSubstr(">separate<"));
  EXPECT_THAT(svg, HasSubstr(">fp32<"));
  EXPECT_THAT(svg, HasSubstr("held-out images"));
  // One bar: the seeds differ at one point only.
  const std::string bar = "stroke=\"#0b6e4f\"/>";
  const size_t first = svg.find(bar);
  ASSERT_NE(first, std::string::npos);
  EXPECT_EQ(svg.find(bar, first + 1), std::string::npos);
}

int64_t PlacesOfFirstLine(const std::string& svg) {
  const size_t line = svg.find("<polyline points=\"");
  return std::count(svg.begin() + line, svg.begin() + svg.find("fill", line), ',');
}

TEST(AccuracyFigure, DoesNotJoinAFittedPointToAnotherWithinHalfABit) {
  const auto figure = [](double fitted_bits) {
    return AccuracyFigure(
        std::vector{MakeRun("r", 1, {PointOf("w4a4", 4, 4, .8), PointOf("w4a4f", fitted_bits, fitted_bits, .9)})},
        AccuracyOf::kHeldOut, "");
  };
  EXPECT_EQ(PlacesOfFirstLine(figure(3.7)), 1);
  EXPECT_EQ(PlacesOfFirstLine(figure(3)), 2);
}

TEST(AccuracyFigure, JoinsAFittedPointToTheOthersOfItsRecipeWhateverOtherRecipesHave) {
  const std::vector runs = {MakeRun("fitted", 1, {PointOf("w8a8", 8, 8, .9), PointOf("w4a4f", 3.7, 3.7, .9)}),
                            MakeRun("standard", 1, {PointOf("w8a8", 8, 8, .9), PointOf("w4a4", 4, 4, .8)})};
  EXPECT_EQ(PlacesOfFirstLine(AccuracyFigure(runs, AccuracyOf::kHeldOut, "")), 2);
}

}  // namespace
}  // namespace anybit::model::train
