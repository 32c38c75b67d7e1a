#include "model/format/requantize.h"

#include <random>

#include <gtest/gtest.h>

namespace anybit::model {
namespace {

TEST(RoundToCode, RoundsHalfToEvenAndClamps) {
  EXPECT_EQ(RoundToCode(0.5f, 255), 0);
  EXPECT_EQ(RoundToCode(1.5f, 255), 2);
  EXPECT_EQ(RoundToCode(2.5f, 255), 2);
  EXPECT_EQ(RoundToCode(2.5000002f, 255), 3);
  EXPECT_EQ(RoundToCode(-3.0f, 255), 0);
  EXPECT_EQ(RoundToCode(11.5f, 12), 12);
  EXPECT_EQ(RoundToCode(1e30f, 12), 12);
  EXPECT_EQ(RoundToCode(-1e30f, 12), 0);
}

TEST(RoundToCode, AgreesWithNearbyintEverywhereInRange) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 100000; ++i) {
    const float y = static_cast<float>(random() >> 40) / (1 << 16);  // 0 .. 256
    EXPECT_EQ(RoundToCode(y, 255), std::min(255, static_cast<int>(std::nearbyint(y)))) << y;
  }
}

TEST(Requantize, UsesOneRoundingForProductAndBias) {
  // acc * scale - 1 = 2^-20 + 2^-23 + 2^-43: a product rounded by itself has already lost the last term.
  const float scale = std::ldexp(1.0f, -23) + std::ldexp(1.0f, -43);
  const float exact = std::ldexp(1.0f, -20) + std::ldexp(1.0f, -23) + std::ldexp(1.0f, -43);
  volatile float product = 8388609.0f * scale;
  EXPECT_NE(product - 1.0f, exact);
  EXPECT_EQ(Dequantize(8388609, scale, -1.0f), exact);
}

TEST(RequantizeWithResidual, AddsTheResidualBeforeRounding) {
  EXPECT_EQ(Requantize(3, 0.4f, 0.0f, 15), 1);
  EXPECT_EQ(RequantizeWithResidual(3, 0.4f, 0.0f, 2, 0.5f, 15), 2);
}

TEST(ExactScale, MakesScaledAccumulatorsRoundAlike) {
  std::mt19937_64 random(2);
  for (int i = 0; i < 20000; ++i) {
    const double wanted = std::ldexp(1.0 + static_cast<double>(random() >> 12) / (1ull << 52), -12);
    const float scale = ExactScale(wanted);
    EXPECT_NEAR(scale / wanted, 1.0, 1e-6);
    EXPECT_TRUE(IsExactScale(scale));
    const float bias = static_cast<float>(random() % 4096) / 512 - 4;
    const int32_t acc = static_cast<int32_t>(random() % 200001) - 100000;
    for (int factor : {4, 24, 48, 64}) {
      EXPECT_EQ(Dequantize(acc * factor, scale / static_cast<float>(factor), bias), Dequantize(acc, scale, bias))
          << acc << " * " << scale << " with factor " << factor;
    }
  }
}

TEST(ExactScale, KeepsZeroAndSign) {
  EXPECT_EQ(ExactScale(0.0), 0.0f);
  EXPECT_EQ(ExactScale(-48.0), -48.0f);
  EXPECT_FALSE(IsExactScale(1.1f));
}

}  // namespace
}  // namespace anybit::model
