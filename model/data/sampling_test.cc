#include "model/data/sampling.h"

#include <algorithm>
#include <set>

#include <gtest/gtest.h>

namespace anybit {
namespace {

TEST(MixSeed, GivesNeighboursSeedsThatDiffer) {
  std::set<uint64_t> seeds;
  for (uint64_t a = 0; a < 100; ++a) {
    for (uint64_t b = 0; b < 100; ++b) seeds.insert(MixSeed(a, b));
  }
  EXPECT_EQ(seeds.size(), 10'000u);
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

TEST(SymmetricBeta, HasTheMeanAndTheVarianceOfTheDistribution) {
  for (double alpha : {0.2, 0.5, 1.0}) {
    std::mt19937_64 random(7);
    constexpr int kDraws = 20'000;
    double sum = 0, squares = 0;
    for (int i = 0; i < kDraws; ++i) {
      const double x = SymmetricBeta(random, alpha);
      ASSERT_TRUE(x >= 0 && x <= 1) << x;
      sum += x;
      squares += x * x;
    }
    const double mean = sum / kDraws, variance = squares / kDraws - mean * mean;
    EXPECT_NEAR(mean, 0.5, 0.02) << alpha;  // six standard errors of the mean at alpha = 0.2
    EXPECT_NEAR(variance, 1 / (4 * (2 * alpha + 1)), 0.005) << alpha;
  }
}

}  // namespace
}  // namespace anybit
