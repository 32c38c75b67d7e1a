#include "model/train/convert/activation_step.h"

#include <cmath>
#include <random>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace anybit::model::train {
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

double ErrorByDefinition(const std::vector<float>& values, int highest, int zero, double step) {
  double sum = 0;
  for (const float x : values) {
    const double code = std::clamp(std::nearbyint(x / step + zero), 0.0, static_cast<double>(highest));
    sum += std::pow((zero > 0 ? x : std::max(x, 0.0f)) - step * (code - zero), 2);
  }
  return sum / static_cast<double>(values.size());
}

TEST(StepError, IsTheMeanSquareOfWhatQuantizationChanges) {
  const std::vector<float> values = Values(5001);
  for (const double step : {0.03, 0.2, 0.9}) {
    for (const int zero : {0, 6}) {
      EXPECT_NEAR(StepError(values, 12, zero, step), ErrorByDefinition(values, 12, zero, step), 1e-6) << step;
    }
  }
  EXPECT_EQ(StepError({}, 3, 0, 1), 0);
}

TEST(BestActivationStep, IsWithinOnePercentOfTheLeastErrorOfAnyStep) {
  const std::vector<float> values = Values(3000);
  const std::pair<int, int> codes[] = {{1, 0}, {2, 0}, {3, 0}, {12, 0}, {255, 0}, {1, 1}, {3, 2}, {12, 6}, {255, 128}};
  for (const auto& [highest, zero] : codes) {
    double least = 1e300;
    for (double step = 0.0005; step < 6; step *= 1.005) {
      least = std::min(least, ErrorByDefinition(values, highest, zero, step));
    }
    const double best = BestActivationStep(values, highest, zero);
    EXPECT_LT(ErrorByDefinition(values, highest, zero, best), 1.01 * least) << highest << " " << zero;
    if (zero > 0) continue;
    // LSQ's initial step, from which training starts, is not better.
    double mean = 0;
    for (const float x : values) mean += std::max(x, 0.0f) / static_cast<double>(values.size());
    const double start = 2 * mean / std::sqrt(highest);
    EXPECT_LE(StepError(values, highest, 0, best), StepError(values, highest, 0, start) * 1.001) << highest;
  }
}

TEST(BestActivationStep, IsOneWhereNothingIsPositive) {
  EXPECT_EQ(BestActivationStep({}, 3), 1);
  EXPECT_EQ(BestActivationStep(std::vector<float>{-1, 0}, 3), 1);
  EXPECT_EQ(BestActivationStep(std::vector<float>{0, 0}, 3, 2), 1);
}

}  // namespace
}  // namespace anybit::model::train
