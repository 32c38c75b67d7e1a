#include "model/train/recipe/rate_range.h"

#include <cmath>
#include <functional>
#include <string>

#include <gtest/gtest.h>

namespace anybit::model::train {
namespace {

constexpr RateRange kRange{.low = 1e-5, .high = 1, .steps = 501};

// A test whose loss is a function of the rate's logarithm.
RangeCurve Curve(const std::function<double(double log10_rate)>& loss, const RateRange& range = kRange) {
  RangeCurve curve(range);
  for (int64_t step = 0; step < range.steps; ++step) curve.Add(loss(std::log10(range.At(step))));
  return curve;
}

// Falls around 1e-3 by one, fastest there.
double Learning(double log_rate) { return 2 - 0.5 * (1 + std::tanh(2 * (log_rate + 3))); }

TEST(RateRange, RisesByEqualFactorsFromTheFirstRateToTheLast) {
  EXPECT_DOUBLE_EQ(kRange.At(0), 1e-5);
  EXPECT_DOUBLE_EQ(kRange.At(500), 1);
  EXPECT_NEAR(kRange.At(100), 1e-4, 1e-12);
  EXPECT_NEAR(kRange.At(250) / kRange.At(249), kRange.At(1) / kRange.At(0), 1e-9);
}

TEST(ParseRateRange, ReadsBothEndsAndNamesTheLimits) {
  const RateRange range = *ParseRateRange("1e-6:0.5", 100);
  EXPECT_EQ(range.low, 1e-6);
  EXPECT_EQ(range.high, 0.5);
  EXPECT_EQ(range.steps, 100);
  const auto error = [](const char* text, int64_t steps = 100) {
    return std::string(ParseRateRange(text, steps).status().message());
  };
  for (const char* text : {"", "1e-3", "1:1e-3", "1e-3:1e-3", "0:1", "1e-3:101", "nan:1", "1e-3:nan", "1e-3:1:2"}) {
    EXPECT_EQ(error(text),
              "range of learning rates '" + std::string(text) + "' is not LOW:HIGH with 1e-09 <= LOW < HIGH <= 100");
  }
  EXPECT_EQ(error("1e-6:1", 19), "a range test of 19 steps is outside 20..1000000");
}

TEST(RangeCurve, FindsTheSteepestDescentWithoutLagThroughNoise) {
  int step = 0;
  const RangeCurve curve = Curve([&](double rate) { return Learning(rate) + (++step % 2 == 0 ? 0.3 : -0.3); });
  ASSERT_TRUE(curve.SteepestDescent().has_value());
  EXPECT_NEAR(std::log10(*curve.SteepestDescent()), -3, 0.1);
  EXPECT_FALSE(curve.Divergence().has_value());
  EXPECT_EQ(SuggestedRate(curve)->rate, *curve.SteepestDescent());
  EXPECT_STREQ(SuggestedRate(curve)->source, "steepest descent");
}

TEST(RangeCurve, DivergesWhereTheLossIsTwiceTheLowest) {
  // From the lowest loss of 1 up by 1 at 1e-1.5.
  const RangeCurve curve = Curve([](double rate) { return Learning(rate) + std::max(0.0, 2 * (rate + 2)); });
  ASSERT_TRUE(curve.Divergence().has_value());
  EXPECT_NEAR(std::log10(*curve.Divergence()), -1.5, 0.05);
  EXPECT_NEAR(std::log10(*curve.SteepestDescent()), -3, 0.1);
  EXPECT_STREQ(SuggestedRate(curve)->source, "steepest descent");
}

TEST(RangeCurve, DivergesWhereALossIsNotFinite) {
  RangeCurve curve(kRange);
  for (int i = 0; i < 40; ++i) curve.Add(2);
  EXPECT_FALSE(curve.Divergence().has_value());
  EXPECT_FALSE(curve.SteepestDescent().has_value());
  EXPECT_FALSE(SuggestedRate(curve).has_value());
  curve.Add(NAN);
  EXPECT_EQ(curve.Divergence(), kRange.At(40));
  EXPECT_EQ(SuggestedRate(curve)->rate, kRange.At(40) / 10);
  EXPECT_STREQ(SuggestedRate(curve)->source, "a tenth of the divergence");
}

TEST(RangeCurve, StaysATenthBelowADivergenceThatIsNearTheSteepestDescent) {
  const RangeCurve curve = Curve([](double rate) { return Learning(rate) + std::max(0.0, 8 * (rate + 2.5)); });
  ASSERT_GT(*curve.SteepestDescent(), *curve.Divergence() / 10);
  EXPECT_EQ(SuggestedRate(curve)->rate, *curve.Divergence() / 10);
  EXPECT_STREQ(SuggestedRate(curve)->source, "a tenth of the divergence");
}

TEST(RangeCurve, DoesNotTakeOneBadBatchForADivergence) {
  int step = 0;
  EXPECT_FALSE(Curve([&](double) { return ++step == 300 ? 20.0 : 1.0; }).Divergence().has_value());
}

}  // namespace
}  // namespace anybit::model::train
