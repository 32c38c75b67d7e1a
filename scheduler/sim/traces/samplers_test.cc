#include "scheduler/sim/traces/samplers.h"

#include <cmath>
#include <random>

#include "gtest/gtest.h"

namespace anybit::sim {
namespace {

constexpr int kDraws = 200000;

struct Moments {
  double mean = 0;
  double variance = 0;
};

template <typename Draw>
Moments MomentsOf(Draw draw) {
  double sum = 0;
  double squares = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double x = draw();
    sum += x;
    squares += x * x;
  }
  const double mean = sum / kDraws;
  return {mean, squares / kDraws - mean * mean};
}

// Four standard errors of the mean, and of the variance of a distribution with this kurtosis.
double MeanTolerance(double variance) { return 4 * std::sqrt(variance / kDraws); }
double VarianceTolerance(double variance, double kurtosis) { return 4 * variance * std::sqrt((kurtosis - 1) / kDraws); }

TEST(SamplersTest, NormalHasMean0AndVariance1) {
  std::mt19937_64 random(1);
  const Moments moments = MomentsOf([&] { return Normal(random); });
  EXPECT_NEAR(moments.mean, 0, MeanTolerance(1));
  EXPECT_NEAR(moments.variance, 1, VarianceTolerance(1, 3));
}

TEST(SamplersTest, NormalIsWithinOneAndTwoDeviationsAsOftenAsItShould) {
  std::mt19937_64 random(2);
  const double one = MomentsOf([&] { return std::abs(Normal(random)) < 1 ? 1.0 : 0.0; }).mean;
  const double two = MomentsOf([&] { return std::abs(Normal(random)) < 2 ? 1.0 : 0.0; }).mean;
  EXPECT_NEAR(one, 0.682689, MeanTolerance(0.682689 * 0.317311));
  EXPECT_NEAR(two, 0.954500, MeanTolerance(0.954500 * 0.045500));
}

TEST(SamplersTest, GammaHasItsShapeAsMeanAndAsVariance) {
  std::mt19937_64 random(3);
  for (const double shape : {0.125, 0.25, 0.5, 1.0, 2.5, 40.0}) {
    const Moments moments = MomentsOf([&] { return Gamma(random, shape); });
    EXPECT_NEAR(moments.mean, shape, MeanTolerance(shape)) << shape;
    EXPECT_NEAR(moments.variance, shape, VarianceTolerance(shape, 3 + 6 / shape)) << shape;
  }
}

TEST(SamplersTest, GammaOfShape1IsExponential) {
  std::mt19937_64 random(4);
  for (const double x : {0.1, 1.0, 3.0}) {
    const double above = std::exp(-x);
    const double share = MomentsOf([&] { return Gamma(random, 1) > x ? 1.0 : 0.0; }).mean;
    EXPECT_NEAR(share, above, MeanTolerance(above * (1 - above))) << x;
  }
}

TEST(SamplersTest, GammaOfShapeAHalfIsHalfTheSquareOfANormal) {
  std::mt19937_64 random(5);
  const double share = MomentsOf([&] { return Gamma(random, 0.5) < 0.5 ? 1.0 : 0.0; }).mean;  // |normal| < 1
  EXPECT_NEAR(share, 0.682689, MeanTolerance(0.682689 * 0.317311));
}

}  // namespace
}  // namespace anybit::sim
