#include "model/train/report.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace anybit {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TrainingRun MakeRun(const std::string& recipe, uint64_t seed, std::vector<PointResult> points) {
  TrainingRun run;
  run.set_recipe(recipe);
  run.set_network("fashion");
  run.set_images("fashion-mnist");
  run.set_seed(seed);
  run.set_processor_seconds(90);
  run.set_command("anybit-train --recipe=" + recipe);
  for (PointResult& point : points) *run.add_points() = std::move(point);
  return run;
}

PointResult Point(const std::string& name, double weight_bits, double activation_bits, double accuracy) {
  PointResult point;
  point.set_name(name);
  point.set_weight_bits(weight_bits);
  point.set_activation_bits(activation_bits);
  point.set_held_out_accuracy(accuracy);
  point.set_held_out_images(1000);
  return point;
}

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

std::vector<TrainingRun> TwoRecipes() {
  return {MakeRun("coquant", 1, {Point("w1a1", 1, 1, .84), Point("w8a8", 8, 8, .91), Point("fp32", 32, 32, .92)}),
          MakeRun("coquant", 2, {Point("w1a1", 1, 1, .86), Point("w8a8", 8, 8, .91), Point("fp32", 32, 32, .92)}),
          MakeRun("separate", 1, {Point("w8a8", 8, 8, .905)})};
}

TEST(AccuracyTable, HasAMeanAndASampleDeviationPerRecipeAndPointFromMoreBitsToLess) {
  EXPECT_EQ(AccuracyTable(TwoRecipes(), AccuracyOf::kHeldOut),
            "| recipe   |         fp32 |         w8a8 |         w1a1 |\n"
            "|----------|-------------:|-------------:|-------------:|\n"
            "| coquant  | 92.00 ± 0.00 | 91.00 ± 0.00 | 85.00 ± 1.41 |\n"
            "| separate |            - |        90.50 |            - |\n");
}

TEST(AccuracyTable, ShowsNoTestAccuracyThatWasNotMeasured) {
  EXPECT_THAT(AccuracyTable(TwoRecipes(), AccuracyOf::kTest), HasSubstr("| coquant  |    - |    - |    - |"));
  EXPECT_THAT(TrainingPage("t", TwoRecipes()), Not(HasSubstr("Test set")));
}

TEST(AccuracyFigure, DrawsALinePerRecipeAndBarsWhereSeedsDiffer) {
  const std::string svg = AccuracyFigure(TwoRecipes(), AccuracyOf::kHeldOut, "caption");
  EXPECT_THAT(svg, HasSubstr(">coquant<"));
  EXPECT_THAT(svg, HasSubstr(">separate<"));
  EXPECT_THAT(svg, HasSubstr(">fp32<"));
  EXPECT_THAT(svg, HasSubstr("held-out images"));
  // One bar: of the only point at which the seeds differ.
  const std::string bar = "stroke=\"#0b6e4f\"/>";
  const size_t first = svg.find(bar);
  ASSERT_NE(first, std::string::npos);
  EXPECT_EQ(svg.find(bar, first + 1), std::string::npos);
}

int64_t PlacesOfFirstLine(const std::string& svg) {
  const size_t line = svg.find("<polyline points=\"");
  return std::count(svg.begin() + line, svg.begin() + svg.find("fill", line), ',');
}

TEST(AccuracyFigure, JoinsNoFittedPointToAnotherOfAboutItsBits) {
  const auto figure = [](double fitted_bits) {
    return AccuracyFigure(
        std::vector{MakeRun("r", 1, {Point("w4a4", 4, 4, .8), Point("w4a4f", fitted_bits, fitted_bits, .9)})},
        AccuracyOf::kHeldOut, "");
  };
  EXPECT_EQ(PlacesOfFirstLine(figure(3.7)), 1);
  EXPECT_EQ(PlacesOfFirstLine(figure(3)), 2);
}

TEST(AccuracyFigure, JoinsAFittedPointToTheOthersOfItsRecipeWhateverOtherRecipesHave) {
  const std::vector runs = {MakeRun("fitted", 1, {Point("w8a8", 8, 8, .9), Point("w4a4f", 3.7, 3.7, .9)}),
                            MakeRun("standard", 1, {Point("w8a8", 8, 8, .9), Point("w4a4", 4, 4, .8)})};
  EXPECT_EQ(PlacesOfFirstLine(AccuracyFigure(runs, AccuracyOf::kHeldOut, "")), 2);
}

TEST(DifferenceTable, ComparesRunsOfOneSeedWithTheFirstRecipes) {
  std::vector<TrainingRun> runs = TwoRecipes();
  runs.push_back(MakeRun("separate", 2, {Point("w8a8", 8, 8, .92)}));
  runs.push_back(MakeRun("separate", 3, {Point("w8a8", 8, 8, .5)}));  // of a seed that the first has not
  EXPECT_EQ(DifferenceTable(runs, AccuracyOf::kHeldOut),
            "| recipe   | fp32 |         w8a8 | w1a1 |\n"
            "|----------|-----:|-------------:|-----:|\n"
            "| separate |    - | +0.25 ± 1.06 |    - |\n");
  EXPECT_EQ(DifferenceTable(std::span(runs).first(2), AccuracyOf::kHeldOut), "");
  EXPECT_THAT(TrainingPage("t", runs), HasSubstr("Above `coquant`, runs of the same seed:\n\n| recipe   | fp32"));
}

TEST(CheckAlike, RefusesAMeanOverDifferentCommands) {
  std::vector<TrainingRun> runs = TwoRecipes();
  runs[0].set_command("anybit-train --start=a.seed1.safetensors --seed=1 --batch=8");
  runs[1].set_command("anybit-train --start=a.seed2.safetensors --seed=2 --batch=8");
  EXPECT_TRUE(CheckAlike(runs).ok()) << CheckAlike(runs);
  runs[1].set_command("anybit-train --start=a.seed2.safetensors --seed=2 --batch=16");
  EXPECT_EQ(CheckAlike(runs).message(),
            "runs called 'coquant' differ in more than their seeds: [anybit-train --start=a.seed1.safetensors --seed=1 "
            "--batch=8] and [anybit-train --start=a.seed2.safetensors --seed=2 --batch=16]");
}

TEST(CheckAlike, TakesRunsOfOneNameThatHaveAPointEach) {
  std::vector<TrainingRun> runs = {MakeRun("nearest", 1, {Point("w4a4", 4, 4, .8)}),
                                   MakeRun("nearest", 1, {Point("w3a3", 3, 3, .7)})};
  runs[0].set_command("anybit-convert --points=w4a4");
  runs[1].set_command("anybit-convert --points=w3a3");
  EXPECT_TRUE(CheckAlike(runs).ok()) << CheckAlike(runs);
  runs[1].set_command("anybit-convert --points=w3a3 --rounding=joint");
  EXPECT_FALSE(CheckAlike(runs).ok());
}

TEST(TrainingPage, SaysWhatWasTrainedHowLongAndByWhichCommand) {
  std::vector<TrainingRun> runs = TwoRecipes();
  runs[2].mutable_points(0)->set_test_images(10000);
  runs[2].mutable_points(0)->set_test_accuracy(.9);
  const std::string page = TrainingPage("Recipes", runs);
  EXPECT_THAT(page, HasSubstr("# Recipes\n\nfashion on fashion-mnist."));
  EXPECT_THAT(page, HasSubstr("| coquant  |    2 |   1 2 |                     1.5 |"));
  EXPECT_THAT(page, HasSubstr("## Test set"));
  EXPECT_THAT(page, HasSubstr("```\nanybit-train --recipe=coquant\nanybit-train --recipe=separate\n```"));
}

TEST(TrainingPage, GivesCommandsThatDifferInTheirSeedsOnce) {
  std::vector<TrainingRun> runs = TwoRecipes();
  runs[0].set_command("anybit-convert --weights=a.seed1.safetensors");
  runs[1].set_command("anybit-convert --weights=a.seed2.safetensors");
  EXPECT_THAT(TrainingPage("", runs),
              HasSubstr("```\nanybit-convert --weights=a.seed1.safetensors\nanybit-train --recipe=separate\n```"));
}

TEST(ParseRun, ReadsWhatSerializeRunWrites) {
  const TrainingRun run = TwoRecipes()[0];
  const absl::StatusOr<TrainingRun> again = ParseRun(SerializeRun(run));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->SerializeAsString(), run.SerializeAsString());
}

TEST(ParseRun, RefusesOtherTexts) {
  EXPECT_THAT(std::string(ParseRun("{").status().message()), HasSubstr("no training run"));
  EXPECT_THAT(std::string(ParseRun("{}").status().message()), HasSubstr("names no recipe"));
  EXPECT_EQ(ParseRun(SerializeRun(MakeRun("r", 1, {Point("p", 1, 1, 1.5)}))).status().message(),
            "point 'p': accuracy 1.5 is outside 0..1");
  EXPECT_EQ(ParseRun(SerializeRun(MakeRun("r", 1, {Point("p", 0, 1, .5)}))).status().message(),
            "point 'p': 0 bits are outside 0..32");
}

TEST(BitsOfLevels, IsTheLogarithmOfTheirNumber) {
  EXPECT_EQ(BitsOfLevels(2), 1);
  EXPECT_NEAR(BitsOfLevels(13), 3.70, 0.005);
}

}  // namespace
}  // namespace anybit
