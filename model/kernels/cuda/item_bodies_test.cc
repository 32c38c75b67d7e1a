#include "model/kernels/cuda/item_bodies.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "model/format/bfloat16.h"
#include "model/format/code_range.h"
#include "model/format/requantize.h"
#include "model/kernels/cuda/testing/run_on_host.h"

namespace anybit::model::cuda {
namespace {

TEST(CodeOfWeight, EqualsTheContractForEveryStoredCodeAndRange) {
  for (int q8 = -128; q8 <= 127; ++q8) {
    for (int step = 1; step <= 127; ++step) {
      const CodeRange range{.step = step, .lo = -6, .hi = 5};
      EXPECT_EQ(CodeOfWeight(q8, {.step = step, .lo = -6, .hi = 5}), ChildCode(q8, range)) << q8 << " " << step;
    }
    EXPECT_EQ(CodeOfWeight(q8, {.sign = true}), ChildCode(q8, {.step = 1, .lo = -1, .hi = 1, .sign = true}));
    EXPECT_EQ(CodeOfWeight(q8, {.step = 1, .lo = -127, .hi = 127}), ChildCode(q8, CodeRange{}));
  }
}

TEST(CodeOf, RoundsAndClampsLikeTheContract) {
  std::mt19937_64 random(3);
  const uint8_t residual = 77;
  for (int i = 0; i < 200000; ++i) {
    const auto sum = static_cast<int32_t>(random());
    // Halves between two codes come often.
    const float scale = i % 3 == 0 ? 0.5f : ExactScale(static_cast<double>(random() % 1000) * 1e-8);
    const float bias = static_cast<float>(static_cast<int>(random() % 600) - 300) * 0.5f;
    const int highest = 1 + static_cast<int>(random() % 255);
    const int32_t near = i % 3 == 0 ? sum % 600 : sum;
    const Epilogue plain{.scale = &scale, .bias = &bias, .highest = static_cast<float>(highest)};
    ASSERT_EQ(CodeOf(near, plain, 0, 0, 1), Requantize(near, scale, bias, highest)) << near << " " << scale;
    Epilogue adding = plain;
    adding.residual = &residual;
    adding.residual_stored = 1;
    adding.residual_scale = 0.5f;
    ASSERT_EQ(CodeOf(near, adding, 0, 0, 1), RequantizeWithResidual(near, scale, bias, residual, 0.5f, highest));
  }
}

TEST(MaxPool, TakesTheGreatestCodeOfEachWindowAndNeverThePadding) {
  std::mt19937_64 random(4);
  const ConvGeometry g{.in_height = 5,
                       .in_width = 6,
                       .in_channels = 16,
                       .kernel = 3,
                       .stride = 2,
                       .padding = 1,
                       .out_height = 3,
                       .out_width = 3,
                       .outputs = 16,
                       .out_stored = 16,
                       .images = 2};
  std::vector<uint32_t> in(2 * 5 * 6 * 4), out(2 * 3 * 3 * 4);
  for (uint32_t& word : in) word = static_cast<uint32_t>(random());
  RunOnHost(MaxPoolCall{.geometry = g, .in = in.data(), .out = out.data()});
  const auto code = [](const std::vector<uint32_t>& map, int64_t pixel, int c) {
    return static_cast<int>(map[pixel * 4 + c / 4] >> (8 * (c % 4)) & 255);
  };
  for (int i = 0; i < 2; ++i) {
    for (int pixel = 0; pixel < 9; ++pixel) {
      for (int c = 0; c < 16; ++c) {
        int greatest = 0;
        for (int y = pixel / 3 * 2 - 1; y <= pixel / 3 * 2 + 1; ++y) {
          for (int x = pixel % 3 * 2 - 1; x <= pixel % 3 * 2 + 1; ++x) {
            if (y >= 0 && x >= 0 && y < 5 && x < 6) greatest = std::max(greatest, code(in, (i * 5 + y) * 6 + x, c));
          }
        }
        ASSERT_EQ(code(out, i * 9 + pixel, c), greatest);
      }
    }
  }
}

TEST(MaxPool, TakesTheGreatestFloatWhereAllAreBelow0) {
  const std::vector<float> in = {-3, -1.5f, -2, -7};
  float out = 0;
  RunOnHost(MaxPoolCall{.geometry = {.in_height = 2,
                                     .in_width = 2,
                                     .in_channels = 1,
                                     .kernel = 2,
                                     .stride = 2,
                                     .out_height = 1,
                                     .out_width = 1,
                                     .outputs = 1,
                                     .out_stored = 1,
                                     .images = 1},
                        .floats = true,
                        .in = reinterpret_cast<const uint32_t*>(in.data()),
                        .out = reinterpret_cast<uint32_t*>(&out)});
  EXPECT_EQ(out, -1.5f);
}

TEST(Linear, SumsBeyond32BitsExactly) {
  const int64_t depth = 70, rows = 11;
  std::vector<int32_t> in(rows * depth, std::numeric_limits<int32_t>::max());
  std::vector<int8_t> weights(3 * depth, -128);
  weights[0] = 127;
  in[5] = 12345;
  const std::vector<float> scale = {1, 0.5f, 3}, bias = {1, 2, 3};
  std::vector<float> out(rows * 3);
  RunOnHost(LinearCall{.rows = rows,
                       .depth = depth,
                       .outputs = 3,
                       .in = in.data(),
                       .weights = weights.data(),
                       .scale = scale.data(),
                       .bias = bias.data(),
                       .out = out.data()});
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t o = 0; o < 3; ++o) {
      int64_t sum = 0;
      for (int64_t d = 0; d < depth; ++d) sum += int64_t{in[row * depth + d]} * weights[o * depth + d];
      EXPECT_EQ(out[row * 3 + o], Dequantize(sum, scale[o], bias[o]));
    }
  }
}

TEST(Linear, RoundsItsFloatWeightsToBfloat16WhereAsked) {
  const float in = 4, weight = 1.0078125f + 0x1p-10f, scale = 1,
              bias = 0;  // above a bfloat16 number by a part of a step
  const auto logit = [&](bool bfloat16) {
    float out = 0;
    RunOnHost(LinearCall{.rows = 1,
                         .depth = 1,
                         .outputs = 1,
                         .floats = true,
                         .in = &in,
                         .weights = &weight,
                         .bfloat16 = bfloat16,
                         .scale = &scale,
                         .bias = &bias,
                         .out = &out});
    return out;
  };
  EXPECT_EQ(logit(true), 4 * 1.0078125f);
  EXPECT_EQ(logit(false), 4 * weight);
}

TEST(Gather, RoundsSumsOfFloatsToBfloat16WhereAsked) {
  const std::vector<float> in = {256, 1, 1, 1};  // of four pixels with one channel
  const auto sum = [&](bool bfloat16) {
    float out = 0;
    RunOnHost(GatherCall{.rows = 1,
                         .pixels = 4,
                         .channels = 1,
                         .stored = 1,
                         .sum = true,
                         .floats = true,
                         .bfloat16 = bfloat16,
                         .in = in.data(),
                         .out = &out});
    return out;
  };
  EXPECT_EQ(sum(true), 260);  // 259 lies in the middle of 258 and 260
  EXPECT_EQ(sum(false), 259);
}

TEST(Gather, SumsTheChannelsOfAllFramesOrKeepsEachValue) {
  // Two rows of three pixels, two channels in 16 stored.
  std::vector<uint8_t> in(2 * 3 * 16, 99);
  for (int pixel = 0; pixel < 6; ++pixel) {
    in[pixel * 16] = static_cast<uint8_t>(pixel);
    in[pixel * 16 + 1] = static_cast<uint8_t>(100 + pixel);
  }
  std::vector<int32_t> sums(4), values(12);
  RunOnHost(GatherCall{
      .rows = 2, .pixels = 3, .channels = 2, .stored = 16, .sum = true, .in = in.data(), .out = sums.data()});
  EXPECT_EQ(sums, (std::vector<int32_t>{3, 303, 12, 312}));
  RunOnHost(GatherCall{.rows = 2, .pixels = 3, .channels = 2, .stored = 16, .in = in.data(), .out = values.data()});
  EXPECT_EQ(values, (std::vector<int32_t>{0, 100, 1, 101, 2, 102, 3, 103, 4, 104, 5, 105}));
}

TEST(Bfloat16Of, RoundsLikeTheFormatsDefinition) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 100000; ++i) {
    // Every third lies in the middle of two bfloat16 numbers.
    const auto bits = static_cast<uint32_t>(random()) & 0xbfffffffu;
    const float value = FloatOf(i % 3 == 0 ? (bits & 0xffff0000u) | 0x8000u : bits);
    if (!std::isfinite(value)) continue;
    ASSERT_EQ(RoundedToBfloat16(value), RoundToBfloat16(value)) << value;
  }
}

TEST(Pack, PutsFloatsIntoPairsOfBfloat16Numbers) {
  const std::vector<float> in = {1, -2, 0.5f, 0};
  std::vector<uint32_t> pairs(2);
  RunOnHost(PackCall{
      .pixels = 1, .stored = 4, .operand = Operand::kBfloat16, .plane_words = 2, .in = in.data(), .out = pairs.data()});
  EXPECT_EQ(pairs, (std::vector<uint32_t>{0xC0003F80u, 0x00003F00u}));
}

TEST(Pack, PutsEachCodeIntoItsNibbleOrItsPlanes) {
  std::vector<uint8_t> in(16);
  for (int c = 0; c < 16; ++c) in[c] = static_cast<uint8_t>(c % 4);
  std::vector<uint32_t> nibbles(4), bits(2);
  RunOnHost(PackCall{.pixels = 1,
                     .stored = 16,
                     .operand = Operand::kNibbles,
                     .plane_words = 4,
                     .in = in.data(),
                     .out = nibbles.data()});
  EXPECT_EQ(nibbles, (std::vector<uint32_t>{0x32103210u, 0x32103210u, 0, 0}));
  RunOnHost(PackCall{.pixels = 1,
                     .stored = 16,
                     .operand = Operand::kBitsAnd,
                     .planes = 2,
                     .plane_words = 1,
                     .in = in.data(),
                     .out = bits.data()});
  EXPECT_EQ(bits, (std::vector<uint32_t>{0xAAAAu, 0xCCCCu}));
}

TEST(CopyInput, LeavesZerosInPaddedChannels) {
  const std::vector<uint8_t> in = {1, 2, 3, 4, 5, 6};
  std::vector<uint8_t> codes(8, 9);
  std::vector<float> floats(8, 9);
  RunOnHost(CopyInputCall{.pixels = 2, .channels = 3, .stored = 4, .in = in.data(), .out = codes.data()});
  EXPECT_EQ(codes, (std::vector<uint8_t>{1, 2, 3, 0, 4, 5, 6, 0}));
  RunOnHost(
      CopyInputCall{.pixels = 2, .channels = 3, .stored = 4, .floats = true, .in = in.data(), .out = floats.data()});
  EXPECT_EQ(floats, (std::vector<float>{1, 2, 3, 0, 4, 5, 6, 0}));
}

}  // namespace
}  // namespace anybit::model::cuda
