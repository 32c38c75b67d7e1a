#include "report/charts.h"

#include <set>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace anybit::report {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;

TEST(ChartsTest, ARoundAxisEndsOnRoundNumbersAroundItsValues) {
  const Axis axis = RoundAxis(0.31, 0.98);
  EXPECT_THAT(axis.marks, ElementsAre(Pair(0.2, "0.2"), Pair(0.4, "0.4"), Pair(DoubleNear(0.6, 1e-12), "0.6"),
                                      Pair(0.8, "0.8"), Pair(1, "1")));
  EXPECT_EQ(axis.low, 0.2);
  EXPECT_EQ(axis.high, 1);
  const Axis percent = RoundAxis(0, 100, " %");
  EXPECT_EQ(percent.high, 100);
  EXPECT_EQ(percent.marks.size(), 6u);
  EXPECT_EQ(percent.marks.back().second, "100 %");
  const Axis flat = RoundAxis(3, 3);
  EXPECT_LT(flat.low, flat.high);
}

TEST(ChartsTest, PointsThatAreNotJoinedHaveNoLine) {
  Panel panel{.title = "t", .lines = {{.colour = "red", .joined = false, .points = {{0, 0}, {1, 1}}}}};
  const std::string svg = DrawSvg({.panels = {panel}});
  EXPECT_THAT(svg, HasSubstr("fill=\"red\""));
  EXPECT_THAT(svg, Not(HasSubstr("<polyline")));
}

TEST(ChartsTest, PlacesFollowTheAxes) {
  Panel panel{.title = "t",
              .x = {.low = 1, .high = 100, .logarithmic = true},
              .y = {.low = 0, .high = 1},
              .lines = {{.colour = "red", .dots = false, .points = {{1, 0}, {10, 1}, {100, 2}}}}};
  // 58 is the left edge and 42 the top; 360 x 230 the size. 2 lies above the axis.
  EXPECT_THAT(DrawSvg({.panels = {panel}}), HasSubstr("points=\"58.0,272.0 238.0,42.0 418.0,42.0 \""));
}

TEST(ChartsTest, AreasStandOnOneAnother) {
  Panel panel{.x = {.low = 0, .high = 2},
              .y = {.low = 0, .high = 10},
              .steps = {0, 1, 2},
              .areas = {{.colour = "red", .heights = {5, 0}}, {.colour = "blue", .heights = {5, 10}}}};
  const std::string svg = DrawSvg({.panels = {panel}});
  EXPECT_THAT(svg, HasSubstr("points=\"58.0,157.0 238.0,157.0 238.0,272.0 418.0,272.0 "
                             "418.0,272.0 238.0,272.0 238.0,272.0 58.0,272.0 \" fill=\"red\""));
  EXPECT_THAT(svg, HasSubstr("points=\"58.0,42.0 238.0,42.0 238.0,42.0 418.0,42.0 "
                             "418.0,272.0 238.0,272.0 238.0,157.0 58.0,157.0 \" fill=\"blue\""));
}

TEST(ChartsTest, NamesOfLinesThatEndTogetherDoNotOverlap) {
  Panel panel{.x = {.low = 0, .high = 1}, .y = {.low = 0, .high = 1}};
  for (const char* name : {"a", "b", "c"}) panel.lines.push_back({.name = name, .colour = "red", .points = {{1, 0}}});
  const std::string svg = DrawSvg({.panels = {panel}});
  // The axis' low end is at 272; texts stand 3.5 below their line's place.
  EXPECT_THAT(svg, HasSubstr("y=\"275.5\" class=\"name\" style=\"fill:red\">c<"));
  EXPECT_THAT(svg, HasSubstr("y=\"263.5\" class=\"name\" style=\"fill:red\">b<"));
  EXPECT_THAT(svg, HasSubstr("y=\"251.5\" class=\"name\" style=\"fill:red\">a<"));
}

TEST(ChartsTest, TextsAreEscaped) {
  const std::string svg = DrawSvg({.legend = {{.name = "a<b"}}, .caption = "x & \"y\""});
  EXPECT_THAT(svg, HasSubstr("a&lt;b"));
  EXPECT_THAT(svg, HasSubstr("x &amp; &quot;y&quot;"));
  EXPECT_THAT(svg, Not(HasSubstr("a<b")));
}

TEST(ChartsTest, ALegendTooLongForOneRowGoesOnInTheNext) {
  Figure figure{.panels = {Panel{}}, .columns = 1};
  for (int i = 0; i < 8; ++i) figure.legend.push_back({.name = "a policy's name"});
  EXPECT_THAT(DrawSvg(figure), HasSubstr("y1=\"38.0\""));
  figure.legend.resize(2);
  EXPECT_THAT(DrawSvg(figure), Not(HasSubstr("y1=\"38.0\"")));
}

TEST(ChartsTest, TwelveLinesDifferInColour) {
  std::set<std::string> seen;
  for (int i = 0; i < 12; ++i) seen.insert(LineColour(i));
  EXPECT_EQ(seen.size(), 12u);
  EXPECT_EQ(LineColour(12), LineColour(1));
  EXPECT_EQ(LineColour(23), LineColour(1));
}

TEST(ChartsTest, ShadesGoFromTheFirstStopToTheLast) {
  EXPECT_EQ(ShadeOf(0, 1), "#0b543e");
  EXPECT_EQ(ShadeOf(0, 5), "#0b543e");
  EXPECT_EQ(ShadeOf(4, 5), "#c1665a");
  EXPECT_EQ(ShadeOf(1, 4), "#60aa78");
}

TEST(ChartsTest, ASpreadIsABarOfTwiceItsHeightThroughItsPoint) {
  Panel panel{.x = {.low = 0, .high = 2},
              .y = {.low = 0, .high = 10},
              .lines = {{.colour = "red", .points = {{0, 5}, {1, 5}}, .spreads = {0, 2}}}};
  const std::string svg = DrawSvg({.panels = {panel}});
  EXPECT_THAT(svg, HasSubstr("<line x1=\"238.0\" x2=\"238.0\" y1=\"111.0\" y2=\"203.0\" stroke=\"red\"/>"));
  EXPECT_THAT(svg, Not(HasSubstr("x1=\"58.0\" x2=\"58.0\"")));
}

}  // namespace
}  // namespace anybit::report
