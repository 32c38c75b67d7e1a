#include "model/kernels/cpu/winograd.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace anybit::model {
namespace {

// All weights are equal, which reaches the transform's extremes.
bool Admits(WinogradKind kind, bool narrow, int weight, int highest_input, int64_t channels = 16) {
  const std::vector<int16_t> codes(16 * 9 * channels, static_cast<int16_t>(weight));
  return PackWinograd(kind, narrow, codes, 16, channels, channels, highest_input).has_value();
}

struct Limit {
  WinogradKind kind;
  int weight, input;
};

// The largest codes for which transformed operands fit bytes: rows of G sum to 3 and 7 at most, products of rows to 9,
// 21 and 49, at stride 2 to 4 and 9; transformed codes spread over 4, 10, 20 and 100 times the largest code, at stride
// 2 over 4 and 36.
constexpr Limit kByteLimits[] = {{WinogradKind::kBytes1x4, 18, 25},         {WinogradKind::kBytes2x2, 14, 63},
                                 {WinogradKind::kBytes2x4, 6, 12},          {WinogradKind::kBytes4x4, 2, 2},
                                 {WinogradKind::kBytesStride2_2x2, 31, 63}, {WinogradKind::kBytesStride2_4x4, 14, 7}};

TEST(Winograd, InBytesTakesOperandsUpToWhatFitsBytes) {
  for (const Limit& limit : kByteLimits) {
    EXPECT_TRUE(Admits(limit.kind, false, limit.weight, limit.input));
    EXPECT_FALSE(Admits(limit.kind, false, limit.weight, limit.input + 1)) << "codes to " << limit.input + 1;
    EXPECT_FALSE(Admits(limit.kind, false, limit.weight + 1, limit.input)) << "weights to " << limit.weight + 1;
  }
}

TEST(Winograd, InBytesTakesLargeWeightsThatTransformToSmallOnes) {
  // One weight of 20 at a window's middle column: no row of G of F(4) multiplies it by more than 2, the others are 0.
  std::vector<int16_t> codes(16 * 9 * 16);
  for (int i = 0; i < 16 * 16; ++i) codes[i / 16 * 9 * 16 + 4 * 16 + i % 16] = 20;
  EXPECT_TRUE(PackWinograd(WinogradKind::kBytes1x4, false, codes, 16, 16, 16, 19).has_value());
}

TEST(Winograd, InWordsTakesEightBitsWhileTheResultFitsItsPowerOfTwo) {
  for (WinogradKind kind : {WinogradKind::kWords4x4, WinogradKind::kWords2x4}) {
    EXPECT_TRUE(Admits(kind, false, 127, 255, 112));
    EXPECT_TRUE(Admits(kind, true, -128, 255, 112)) << "narrow bytes are of no account to words";
  }
  // 64 times the sum: |sum| < 2^25, here 9 * C * 127 * 255.
  EXPECT_FALSE(Admits(WinogradKind::kWords4x4, false, 127, 255, 128));
  // 16 times the sum: |sum| < 2^27.
  EXPECT_TRUE(Admits(WinogradKind::kWords2x4, false, 127, 255, 448));
  EXPECT_FALSE(Admits(WinogradKind::kWords2x4, false, 127, 255, 464));
  // Four times the sum, after the inverse of nine.
  EXPECT_TRUE(Admits(WinogradKind::kWordsStride2_4x4, false, 127, 255, 1024));
  // Which ones fit is asked of the weights there are, not of the widest there could be.
  EXPECT_TRUE(Admits(WinogradKind::kWords4x4, false, 20, 255, 512));
}

TEST(Winograd, KeepsFactorsThatAreNoPowerOfTwoBelowWhatFloatsHold) {
  // 48 times the sum of 9 * C * 6 * 12, and 24 times that of 9 * C * 18 * 25, below 2^24.
  EXPECT_TRUE(Admits(WinogradKind::kBytes2x4, false, 6, 12, 528));
  EXPECT_FALSE(Admits(WinogradKind::kBytes2x4, false, 6, 12, 544));
  EXPECT_TRUE(Admits(WinogradKind::kBytes1x4, false, 18, 25, 160));
  EXPECT_FALSE(Admits(WinogradKind::kBytes1x4, false, 18, 25, 176));
}

TEST(Winograd, InNarrowBytesTakesResultsThatFit16BitsBesideTheirMiddle) {
  // 64 times the spread of results, 9 * C * 1 * 1 either way, in 16 bits: 64 * 9 * C < 2^16.
  EXPECT_TRUE(Admits(WinogradKind::kBytes4x4, true, 1, 1, 112));
  EXPECT_FALSE(Admits(WinogradKind::kBytes4x4, true, 1, 1, 128));
  EXPECT_TRUE(Admits(WinogradKind::kBytes4x4, false, 1, 1, 128));
  // 16 times: 16 * 9 * C < 2^16; 4 times.
  EXPECT_TRUE(Admits(WinogradKind::kBytes2x4, true, -1, 1, 448));
  EXPECT_FALSE(Admits(WinogradKind::kBytes2x4, true, -1, 1, 464));
  EXPECT_TRUE(Admits(WinogradKind::kBytes2x2, true, 1, 12, 128));
  EXPECT_FALSE(Admits(WinogradKind::kBytes2x2, true, 1, 12, 160));
}

TEST(Winograd, InNarrowBytesRefusesPairsOfProductsThatSaturate) {
  // Two products of up to 240 * 72 pass 32767; one, beside a channel without weights, does not.
  const auto admits = [](int64_t first, int64_t second) {
    std::vector<int16_t> codes(16 * 9 * 16);
    for (int64_t i = 0; i < 16 * 9; ++i) codes[i * 16 + first] = codes[i * 16 + second] = 6;
    return PackWinograd(WinogradKind::kBytes2x4, true, codes, 16, 16, 16, 12).has_value();
  };
  EXPECT_FALSE(admits(0, 1));
  EXPECT_TRUE(admits(1, 2)) << "channels 1 and 2 are of different pairs";
  EXPECT_FALSE(admits(14, 15));
}

TEST(Winograd, DividesTheOddPartOutOfItsFactorWhereLanesWrapAnyway) {
  const std::vector<int16_t> codes(16 * 9 * 16, 1);
  const auto factor = [&](WinogradKind kind, bool narrow) {
    return PackWinograd(kind, narrow, codes, 16, 16, 16, 1)->factor;
  };
  EXPECT_EQ(factor(WinogradKind::kWords4x4, false), 64);
  EXPECT_EQ(factor(WinogradKind::kWords2x4, false), 16);
  EXPECT_EQ(factor(WinogradKind::kBytes1x4, false), 24);
  EXPECT_EQ(factor(WinogradKind::kBytes2x2, false), 4);
  EXPECT_EQ(factor(WinogradKind::kBytes2x4, false), 48);
  EXPECT_EQ(factor(WinogradKind::kBytes4x4, false), 64);
  EXPECT_EQ(factor(WinogradKind::kWordsStride2_4x4, false), 4);
  EXPECT_EQ(factor(WinogradKind::kBytesStride2_2x2, false), 1);
  EXPECT_EQ(factor(WinogradKind::kBytesStride2_4x4, false), 4);
  EXPECT_EQ(factor(WinogradKind::kBytes1x4, true), 8);
  EXPECT_EQ(factor(WinogradKind::kBytes2x4, true), 16);
}

}  // namespace
}  // namespace anybit::model
