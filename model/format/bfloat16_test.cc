#include "model/format/bfloat16.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

namespace anybit::model {
namespace {

TEST(Bfloat16, HoldsNumbersOfEightBitsExactly) {
  for (int i = -256; i <= 256; ++i) {
    for (double unit : {1.0, 0x1p-7, 0x1p100, 0x1p-126}) {
      const auto value = static_cast<float>(i * unit);
      EXPECT_EQ(RoundToBfloat16(value), value) << i << " * " << unit;
    }
  }
}

TEST(Bfloat16, RoundsToTheNearest) {
  EXPECT_EQ(RoundToBfloat16(257.9f), 258.0f);
  EXPECT_EQ(RoundToBfloat16(-257.9f), -258.0f);
  EXPECT_EQ(RoundToBfloat16(256.9f), 256.0f);
}

TEST(Bfloat16, RoundsTiesToEven) {
  EXPECT_EQ(RoundToBfloat16(257.0f), 256.0f);  // between 256 and 258
  EXPECT_EQ(RoundToBfloat16(259.0f), 260.0f);  // between 258 and 260
  EXPECT_EQ(RoundToBfloat16(-259.0f), -260.0f);
}

TEST(Bfloat16, RoundsUpIntoTheNextPowerOfTwo) { EXPECT_EQ(RoundToBfloat16(511.5f), 512.0f); }

TEST(Bfloat16, BecomesInfiniteBeyondTheLargest) {
  EXPECT_EQ(RoundToBfloat16(std::numeric_limits<float>::max()), std::numeric_limits<float>::infinity());
}

TEST(Bfloat16, IsAtMostAnEighthBitOff) {
  float value = 1;
  for (int i = 0; i < 10000; ++i) {
    value = std::fmod(value * 1.37f + 0.013f, 1000.0f);
    EXPECT_LE(std::abs(RoundToBfloat16(value) - value), value * 0x1p-8f) << value;
  }
}

}  // namespace
}  // namespace anybit::model
