#include "model/format/code_range.h"

#include <cmath>

#include <gtest/gtest.h>

namespace anybit::model {
namespace {

BitWidth Bits(int bits) { return *BitWidth::FromBits(bits); }

TEST(BitWidth, ExistsOnlyForOneToEightAndThoseOfFloats) {
  for (int bits = -1; bits <= 40; ++bits) {
    EXPECT_EQ(BitWidth::FromBits(bits).ok(), (bits >= 1 && bits <= 8) || bits == 16 || bits == 32) << bits;
  }
  EXPECT_EQ(BitWidth::FromBits(9).status().message(), "bit-width 9 is not one of 1..8, 16 or 32");
}

TEST(ChildCode, DividesByTheStepRoundingHalfUpInsideTheLimits) {
  for (int step : {1, 2, 3, 9, 16, 21, 51, 64, 127}) {
    const CodeRange range{.step = step, .lo = -128, .hi = 127};
    for (int q8 = -128; q8 <= 127; ++q8) {
      const int expected = static_cast<int>(std::floor((q8 + std::floor(step / 2.0)) / step));
      EXPECT_EQ(ChildCode(q8, range), std::clamp(expected, -128, 127)) << q8 << " / " << step;
    }
  }
}

TEST(ChildCode, OfStandardBitsIsDoubleRounding) {
  for (int bits = 2; bits <= 7; ++bits) {
    const int dropped = 8 - bits;
    for (int q8 = -127; q8 <= 127; ++q8) {
      const int expected = std::min((q8 + (1 << (dropped - 1))) >> dropped, (1 << (bits - 1)) - 1);
      EXPECT_EQ(ChildCode(q8, StandardRange(Bits(bits))), expected) << bits << " bits, " << q8;
    }
  }
}

TEST(ChildCode, OfEightBitsIsTheStoreItself) {
  for (int q8 = -127; q8 <= 127; ++q8) EXPECT_EQ(ChildCode(q8, StandardRange(Bits(8))), q8);
}

TEST(ChildCode, OfOneBitIsTheSignAndZeroIsPositive) {
  const CodeRange range = StandardRange(Bits(1));
  EXPECT_EQ(ChildCode(-1, range), -1);
  EXPECT_EQ(ChildCode(0, range), 1);
  EXPECT_EQ(ChildCode(127, range), 1);
}

TEST(ChildCode, OfTheFittedRangesStaysInsideThem) {
  for (const CodeRange& range : {CodeRange{.step = 21, .lo = -6, .hi = 6}, CodeRange{.step = 51, .lo = -2, .hi = 2}}) {
    int lowest = 0, highest = 0;
    for (int q8 = -127; q8 <= 127; ++q8) {
      lowest = std::min(lowest, ChildCode(q8, range));
      highest = std::max(highest, ChildCode(q8, range));
    }
    EXPECT_EQ(lowest, range.lo);
    EXPECT_EQ(highest, range.hi);
  }
}

TEST(ValidateCodeRange, RefusesWhatTheContractDoesNotAllow) {
  EXPECT_TRUE(ValidateCodeRange({.step = 21, .lo = -6, .hi = 6}).ok());
  EXPECT_EQ(ValidateCodeRange({.step = 128}).message(), "weight step 128 is outside 1..127");
  EXPECT_EQ(ValidateCodeRange({.step = 0}).message(), "weight step 0 is outside 1..127");
  EXPECT_EQ(ValidateCodeRange({.step = 20}).message(), "weight step 20 is neither odd nor a power of two");
  EXPECT_EQ(ValidateCodeRange({.lo = -129}).message(), "lowest weight code -129 is outside -128..0");
  EXPECT_EQ(ValidateCodeRange({.hi = 0}).message(), "highest weight code 0 is outside 1..127");
  EXPECT_FALSE(ValidateCodeRange({.step = 2, .lo = -1, .hi = 1, .sign = true}).ok());
}

}  // namespace
}  // namespace anybit::model
