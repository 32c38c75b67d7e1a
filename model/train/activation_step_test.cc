#include "model/train/activation_step.h"

#include <cmath>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace anybit {
namespace {

std::vector<float> Values(int count) {
  std::mt19937_64 random(5);
  std::vector<float> values;
  for (int i = 0; i < count; ++i) {
    double sum = 0;
    for (int j = 0; j < 12; ++j) sum += static_cast<double>(random() % 10000) / 10000;
    values.push_back(static_cast<float>(sum - 6));
  }
  return values;
}

double ErrorByDefinition(const std::vector<float>& values, int highest, double step) {
  double sum = 0;
  for (const float x : values) {
    sum += std::pow(std::max(x, 0.0f) - step * std::clamp(std::nearbyint(x / step), 0.0, static_cast<double>(highest)), 2);
  }
  return sum / static_cast<double>(values.size());
}

TEST(StepError, IsTheMeanSquareOfWhatQuantizationChanges) {
  const std::vector<float> values = Values(5001);
  for (const double step : {0.03, 0.2, 0.9}) {
    EXPECT_NEAR(StepError(values, 12, step), ErrorByDefinition(values, 12, step), 1e-6) << step;
  }
  EXPECT_EQ(StepError({}, 3, 1), 0);
}

TEST(BestActivationStep, IsWithinOnePercentOfTheLeastErrorOfAnyStep) {
  const std::vector<float> values = Values(3000);
  for (const int highest : {1, 2, 3, 12, 63, 255}) {
    double least = 1e300;
    for (double step = 0.0005; step < 6; step *= 1.005) least = std::min(least, ErrorByDefinition(values, highest, step));
    const double best = BestActivationStep(values, highest);
    EXPECT_LT(ErrorByDefinition(values, highest, best), 1.01 * least) << highest;
    // LSQ's start, which training then moves, is no better.
    double mean = 0;
    for (const float x : values) mean += std::max(x, 0.0f) / static_cast<double>(values.size());
    EXPECT_LE(StepError(values, highest, best), StepError(values, highest, 2 * mean / std::sqrt(highest)) * 1.001) << highest;
  }
}

TEST(BestActivationStep, IsOneWhereNothingIsPositive) {
  EXPECT_EQ(BestActivationStep({}, 3), 1);
  EXPECT_EQ(BestActivationStep(std::vector<float>{-1, 0}, 3), 1);
}

}  // namespace
}  // namespace anybit
