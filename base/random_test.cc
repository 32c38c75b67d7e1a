#include "base/random.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <random>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "base/hash.h"

namespace anybit {
namespace {

TEST(MixSeed, GivesNeighboursSeedsThatDiffer) {
  std::set<uint64_t> seeds;
  for (uint64_t a = 0; a < 100; ++a) {
    for (uint64_t b = 0; b < 100; ++b) seeds.insert(MixSeed(a, b));
  }
  EXPECT_EQ(seeds.size(), 10'000u);
}

// Golden traces and trainings depend on these sequences.
TEST(Samplers, GiveTheSameNumbersOnEveryMachine) {
  EXPECT_EQ(MixSeed(1, 2), 13608149317741381227u);
  std::mt19937_64 random(1);
  uint64_t hash = kFnv1aOfNothing;
  const auto mix = [&hash](double value) { hash = Fnv1aOfWord(std::bit_cast<uint64_t>(value), hash); };
  for (int i = 0; i < 1000; ++i) mix(UniformUnit(random));
  for (int i = 0; i < 1000; ++i) mix(UniformIn(random, -3, 5));
  for (int i = 0; i < 1000; ++i) mix(static_cast<double>(UniformInt(random, -7, 1000)));
  EXPECT_EQ(hash, 15658881077177064927u);
  // The C library's functions may differ in the last digit.
  EXPECT_DOUBLE_EQ(Exponential(random), 0.69840163798644861);
  EXPECT_DOUBLE_EQ(Normal(random), -0.15815842424115936);
  EXPECT_DOUBLE_EQ(NormalFromMidpoints(random, 0.5), 0.78372279453585125);
}

TEST(UniformInt, ReachesBothEndsAndNothingBeyond) {
  std::mt19937_64 random(1);
  std::set<int64_t> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(UniformInt(random, -2, 3));
  EXPECT_EQ(seen, (std::set<int64_t>{-2, -1, 0, 1, 2, 3}));
}

TEST(RandomOrder, IsAnOrderOfAllAndTheSameOnEveryMachine) {
  EXPECT_EQ(RandomOrder(8, 1), RandomOrder(8, 1));
  EXPECT_NE(RandomOrder(8, 1), RandomOrder(8, 2));
  std::vector<int64_t> order = RandomOrder(8, 1);
  EXPECT_EQ(order, (std::vector<int64_t>{4, 6, 3, 5, 1, 7, 2, 0}));
  std::sort(order.begin(), order.end());
  EXPECT_EQ(order, (std::vector<int64_t>{0, 1, 2, 3, 4, 5, 6, 7}));
}

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

TEST(Normal, HasMean0AndVariance1) {
  std::mt19937_64 random(1);
  const Moments moments = MomentsOf([&] { return Normal(random); });
  EXPECT_NEAR(moments.mean, 0, MeanTolerance(1));
  EXPECT_NEAR(moments.variance, 1, VarianceTolerance(1, 3));
}

TEST(Normal, IsWithinOneAndTwoDeviationsAsOftenAsItShould) {
  std::mt19937_64 random(2);
  const double one = MomentsOf([&] { return std::abs(Normal(random)) < 1 ? 1.0 : 0.0; }).mean;
  const double two = MomentsOf([&] { return std::abs(Normal(random)) < 2 ? 1.0 : 0.0; }).mean;
  EXPECT_NEAR(one, 0.682689, MeanTolerance(0.682689 * 0.317311));
  EXPECT_NEAR(two, 0.954500, MeanTolerance(0.954500 * 0.045500));
}

TEST(Gamma, HasItsShapeAsMeanAndAsVariance) {
  std::mt19937_64 random(3);
  for (const double shape : {0.125, 0.25, 0.5, 1.0, 2.5, 40.0}) {
    const Moments moments = MomentsOf([&] { return Gamma(random, shape); });
    EXPECT_NEAR(moments.mean, shape, MeanTolerance(shape)) << shape;
    EXPECT_NEAR(moments.variance, shape, VarianceTolerance(shape, 3 + 6 / shape)) << shape;
  }
}

TEST(Gamma, OfShape1IsExponential) {
  std::mt19937_64 random(4);
  for (const double x : {0.1, 1.0, 3.0}) {
    const double above = std::exp(-x);
    const double share = MomentsOf([&] { return Gamma(random, 1) > x ? 1.0 : 0.0; }).mean;
    EXPECT_NEAR(share, above, MeanTolerance(above * (1 - above))) << x;
  }
}

TEST(Gamma, OfShapeAHalfIsHalfTheSquareOfANormal) {
  std::mt19937_64 random(5);
  const double share = MomentsOf([&] { return Gamma(random, 0.5) < 0.5 ? 1.0 : 0.0; }).mean;  // |normal| < 1
  EXPECT_NEAR(share, 0.682689, MeanTolerance(0.682689 * 0.317311));
}

TEST(SymmetricBeta, HasTheMeanAndTheVarianceOfTheDistribution) {
  for (double alpha : {0.2, 0.5, 1.0}) {
    constexpr int kFewDraws = 20'000;
    std::mt19937_64 random(7);
    double sum = 0, squares = 0;
    for (int i = 0; i < kFewDraws; ++i) {
      const double x = SymmetricBeta(random, alpha);
      ASSERT_TRUE(x >= 0 && x <= 1) << x;
      sum += x;
      squares += x * x;
    }
    const double mean = sum / kFewDraws, variance = squares / kFewDraws - mean * mean;
    EXPECT_NEAR(mean, 0.5, 0.02) << alpha;  // six standard errors of the mean at alpha = 0.2
    EXPECT_NEAR(variance, 1 / (4 * (2 * alpha + 1)), 0.005) << alpha;
  }
}

}  // namespace
}  // namespace anybit
