#include "model/train/rate_report.h"

#include <cmath>
#include <string>

#include <gtest/gtest.h>

#include "base/json.h"

namespace anybit::model::train {
namespace {

// Learns around 1e-3 and diverges above 1e-2 if so asked.
RangeCurve Curve(bool diverges) {
  RangeCurve curve({.low = 1e-5, .high = 1, .steps = 101});
  for (int step = 0; step < 101; ++step) {
    const double rate = std::log10(curve.range().At(step));
    curve.Add(2 - 0.5 * (1 + std::tanh(2 * (rate + 3))) + (diverges ? std::max(0.0, 2 * (rate + 2)) : 0));
  }
  return curve;
}

TEST(RateJson, HasTheCurveAndWhatItSuggests) {
  const Json json = *ParseJson(RateJson(Curve(true), "joint"));
  EXPECT_EQ(json["phase"], "joint");
  EXPECT_EQ(json["rates"].size(), 101u);
  EXPECT_EQ(json["losses"].size(), 101u);
  EXPECT_EQ(json["smoothed"].size(), 101u);
  EXPECT_EQ(json["source"], "steepest descent");
  EXPECT_EQ(json["suggested"], json["steepest_descent"]);
  EXPECT_NEAR(json["divergence"].get<double>(), std::pow(10, -1.5), 0.01);
  EXPECT_FALSE(ParseJson(RateJson(Curve(false), "start"))->contains("divergence"));
}

TEST(RateFigure, MarksWhatItSuggests) {
  const std::string diverged = RateFigure(Curve(true), "of a test"), learned = RateFigure(Curve(false), "");
  for (const char* text :
       {"steepest descent 0.001", "divergence 0.03", "a tenth of it 0.003", "of a test", ">0.0001<"}) {
    EXPECT_NE(diverged.find(text), std::string::npos) << text;
  }
  EXPECT_EQ(learned.find("divergence"), std::string::npos);
  EXPECT_FALSE(RateFigure(RangeCurve({.low = 1e-5, .high = 1, .steps = 20}), "").empty());
}

TEST(RateText, NamesTheSource) {
  EXPECT_EQ(RateText(Curve(false))
                .find("suggested learning rate 0.001 by steepest descent; steepest descent 0.001, "
                      "divergence none"),
            0u)
      << RateText(Curve(false));
  RangeCurve flat({.low = 1e-5, .high = 1, .steps = 20});
  EXPECT_EQ(RateText(flat), "no learning rate to suggest; steepest descent none, divergence none");
}

}  // namespace
}  // namespace anybit::model::train
