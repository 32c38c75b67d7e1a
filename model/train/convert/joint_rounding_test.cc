#include "model/train/convert/joint_rounding.h"

#include <algorithm>
#include <cmath>
#include <random>

#include <gtest/gtest.h>

#include "model/format/bit_width.h"

namespace anybit::model::train {
namespace {

constexpr CodeRange kSign = {.step = 1, .lo = -1, .hi = 1, .sign = true};
constexpr CodeRange kFourFitted = {.step = 21, .lo = -6, .hi = 6};
constexpr CodeRange kThreeFitted = {.step = 51, .lo = -2, .hi = 2};

double ErrorOf(double weight, const std::vector<Child>& children, int q8) {
  double error = 0;
  for (const Child& child : children) {
    error += child.lambda * std::pow(weight - ChildCode(q8, child.range) * child.unit, 2);
  }
  return error;
}

// Roughly normal numbers, like weights.
std::vector<float> Weights(int count, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<float> weights;
  for (int i = 0; i < count; ++i) {
    double sum = 0;
    for (int j = 0; j < 12; ++j) sum += static_cast<double>(random() >> 11) / 9007199254740992.0;
    weights.push_back(static_cast<float>(0.1 * (sum - 6)));
  }
  return weights;
}

TEST(BestStoreCode, IsTheBestOfAll255) {
  std::mt19937_64 random(1);
  const auto uniform = [&](double lo, double hi) {
    return lo + (hi - lo) * static_cast<double>(random() % 10000) / 10000;
  };
  const std::vector<CodeRange> ranges = {CodeRange{},
                                         kFourFitted,
                                         kThreeFitted,
                                         kSign,
                                         StandardRange(*BitWidth::FromBits(2)),
                                         {.step = 9, .lo = -14, .hi = 14},
                                         {.step = 7, .lo = 0, .hi = 3}};
  for (int trial = 0; trial < 3000; ++trial) {
    std::vector<Child> children;
    const size_t count = 1 + random() % 4;
    for (size_t i = 0; i < count; ++i) {
      const CodeRange& range = ranges[random() % ranges.size()];
      children.push_back({.range = range, .lambda = uniform(0.1, 5), .unit = 0.01 * range.step * uniform(0.5, 2)});
    }
    const double weight = uniform(-1.5, 1.5);
    double least = 1e300;
    for (int q8 = -127; q8 <= 127; ++q8) least = std::min(least, ErrorOf(weight, children, q8));
    ASSERT_NEAR(ErrorOf(weight, children, BestStoreCode(weight, children)), least, 1e-12 + 1e-12 * least) << trial;
  }
}

TEST(RoundJointly, StatesTheErrorsOfWhatItReturns) {
  const std::vector<float> weights = Weights(4 * 50, 2);
  const std::vector<CodeRange> ranges = {CodeRange{}, kFourFitted, kSign};
  const RoundedWeights rounded = RoundJointly(weights, 4, ranges);
  ASSERT_EQ(rounded.q8.size(), weights.size());
  ASSERT_EQ(rounded.scale.size(), 4u);
  double square = 0;
  for (const float w : weights) square += w * w;
  for (size_t r = 0; r < ranges.size(); ++r) {
    double error = 0;
    for (size_t i = 0; i < weights.size(); ++i) {
      error += std::pow(weights[i] - ChildCode(rounded.q8[i], ranges[r]) * rounded.units[r][i / 50], 2);
    }
    EXPECT_NEAR(rounded.errors[r], error / square, 1e-6) << r;
  }
}

TEST(RoundJointly, BeatsRoundingToTheStoreAtEveryFewLevelPointAndKeepsTheStoreFine) {
  const std::vector<float> weights = Weights(8 * 288, 3);
  const std::vector<CodeRange> ranges = {CodeRange{}, kFourFitted, kThreeFitted, kSign};
  const RoundedWeights joint = RoundJointly(weights, 8, ranges), nearest = RoundToNearest(weights, 8, ranges);
  for (size_t r = 1; r + 1 < ranges.size(); ++r) {
    EXPECT_LT(joint.errors[r], 0.85 * nearest.errors[r]) << r;
    EXPECT_LT(joint.errors[r], 1.15 * RoundJointly(weights, 8, {&ranges[r], 1}).errors[0]) << r;
  }
  // The best rounding of a sign is itself; joint codes keep nearly all signs.
  EXPECT_LT(joint.errors[3], 1.02 * nearest.errors[3]);
  EXPECT_LT(joint.errors[0], 1e-3);
}

TEST(RoundJointly, OfOnePointIsAsGoodAsAnySearchedScale) {
  const std::vector<float> weights = Weights(288, 4);
  const RoundedWeights rounded = RoundJointly(weights, 1, {&kFourFitted, 1});
  double square = 0, least = 1e300;
  for (const float w : weights) square += w * w;
  for (double unit = 0.005; unit < 0.1; unit += 0.0001) {
    double error = 0;
    for (const float w : weights) error += std::pow(w - unit * std::clamp(std::nearbyint(w / unit), -6.0, 6.0), 2);
    least = std::min(least, error / square);
  }
  EXPECT_LT(rounded.errors[0], 1.03 * least);
}

TEST(RoundJointly, TakesChannelsOfZerosAndSingleWeights) {
  const std::vector<CodeRange> ranges = {CodeRange{}, kSign};
  const RoundedWeights zeros = RoundJointly(std::vector<float>(6, 0.0f), 2, ranges);
  for (const int8_t q8 : zeros.q8) EXPECT_EQ(q8, 0);
  for (const float scale : zeros.scale) EXPECT_GT(scale, 0);
  const RoundedWeights single = RoundJointly(std::vector<float>{-0.5f, 2.0f}, 2, ranges);
  for (size_t r = 0; r < 2; ++r) EXPECT_NEAR(single.errors[r], 0, 1e-6) << r;
}

// Nine places of one channel that rise and fall together: the sum of their errors is what counts.
TEST(JointRounding, KeepsTheSumOfWeightsOfCorrelatedInputs) {
  std::vector<float> weights;
  for (int i = 0; i < 9 * 64; ++i) weights.push_back(static_cast<float>((i * 7919) % 1000) / 1000 - 0.3f);
  const CodeRange ranges[] = {{}, {.step = 4, .lo = -32, .hi = 31}};
  JointRoundingOptions correlated;
  std::vector<float> moments(9 * 9, 8.0f);
  for (size_t i = 0; i < 9; ++i) moments[i * 10] += 1;
  correlated.moments = moments;
  const auto largest_sum = [&](const RoundedWeights& rounded, size_t point) {
    double largest = 0;
    for (int64_t o = 0; o < 64; ++o) {
      double sum = 0;
      for (int64_t i = o * 9; i < o * 9 + 9; ++i) {
        sum += weights[i] - ChildCode(rounded.q8[i], ranges[point]) * rounded.units[point][o];
      }
      largest = std::max(largest, std::abs(sum) / rounded.units[point][o]);
    }
    return largest;
  };
  const RoundedWeights apart = RoundJointly(weights, 64, ranges),
                       together = RoundJointly(weights, 64, ranges, correlated);
  EXPECT_GT(largest_sum(apart, 0), 1);
  EXPECT_LT(largest_sum(together, 0), 0.8);
  EXPECT_LT(largest_sum(together, 1), 0.8);
  EXPECT_LT(together.errors[0], 10 * apart.errors[0]) << "single errors stay small";
}

// Depthwise layers: inputs of each output have moments of their own.
TEST(JointRounding, TakesTheMomentsOfEachOutput) {
  std::vector<float> weights;
  for (int i = 0; i < 2 * 9; ++i) weights.push_back(static_cast<float>((i % 9 * 7919) % 1000) / 1000 - 0.3f);
  std::vector<float> moments(2 * 81, 0.0f);
  for (size_t i = 0; i < 9; ++i) moments[i * 10] = moments[81 + i * 10] = 1;
  for (size_t i = 81; i < 162; ++i) moments[i] += 8;
  JointRoundingOptions options;
  options.moments = moments;
  const CodeRange range = {.step = 4, .lo = -32, .hi = 31};
  const RoundedWeights rounded = RoundJointly(weights, 2, {&range, 1}, options);
  const auto sum_of = [&](int64_t o) {
    double sum = 0;
    for (int64_t i = o * 9; i < o * 9 + 9; ++i)
      sum += weights[i] - ChildCode(rounded.q8[i], range) * rounded.units[0][o];
    return std::abs(sum) / rounded.units[0][o];
  };
  const RoundedWeights apart = RoundJointly(weights, 2, {&range, 1});
  EXPECT_TRUE(std::equal(apart.q8.begin(), apart.q8.begin() + 9, rounded.q8.begin())) << "independent inputs";
  EXPECT_LT(sum_of(1), sum_of(0));
}

}  // namespace
}  // namespace anybit::model::train
