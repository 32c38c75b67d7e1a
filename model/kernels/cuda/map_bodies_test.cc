#include "model/kernels/cuda/map_bodies.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/format/activation.h"
#include "model/format/bfloat16.h"
#include "model/format/requantize.h"
#include "model/kernels/cuda/testing/run_on_host.h"

namespace anybit::model::cuda {
namespace {

using testing::ElementsAre;
using testing::ElementsAreArray;

TEST(Pad, PutsTheBorderAroundEachImage) {
  const std::vector<uint32_t> in = {1, 2, 3, 4, 5, 6, 7, 8};  // two images of 1 x 2 pixels of two words
  const uint32_t border[] = {80, 90};
  std::vector<uint32_t> out(2 * 3 * 4 * 2);
  RunOnHost(PadCall{.images = 2,
                    .height = 1,
                    .width = 2,
                    .padding = 1,
                    .pixel_words = 2,
                    .border = border,
                    .in = in.data(),
                    .out = out.data()});
  const std::vector<uint32_t> line = {80, 90, 80, 90, 80, 90, 80, 90};
  std::vector<uint32_t> expected;
  for (uint32_t first : {1, 5}) {
    expected.insert(expected.end(), line.begin(), line.end());
    expected.insert(expected.end(), {80, 90, first, first + 1, first + 2, first + 3, 80, 90});
    expected.insert(expected.end(), line.begin(), line.end());
  }
  EXPECT_THAT(out, ElementsAreArray(expected));
}

TEST(Activate, LooksUpTheCodesOfTheChannelsAndLeavesZerosBehindThem) {
  uint8_t table[256];
  for (int code = 0; code < 256; ++code) table[code] = static_cast<uint8_t>(255 - code);
  alignas(4) uint8_t map[2 * 8] = {0, 1, 2, 250, 255, 0, 0, 0, 9, 8, 7, 6, 5, 0, 0, 0};
  RunOnHost(ActivateCall{.pixels = 2, .channels = 5, .stored = 8, .table = table, .map = map});
  EXPECT_THAT(map, ElementsAre(255, 254, 253, 5, 0, 0, 0, 0, 246, 247, 248, 249, 250, 0, 0, 0));
}

// The device computes in double precision, too, where functions may be off by a unit in the last place.
TEST(Activate, ComputesEveryFunctionOfTheFormat) {
  for (int function = proto::Activation::CLIP; function <= proto::Activation::Function_MAX; ++function) {
    const Activation activation{.function = static_cast<ActivationFunction>(function), .alpha = 0.75f, .beta = 0.25f};
    std::vector<float> map, expected;
    for (float x : {-100.0f, -45.0f, -3.0f, -0.3f, 0.0f, 1e-4f, 0.5f, 0.8f, 2.9f, 41.0f, 200.0f}) {
      map.push_back(x);
      expected.push_back(Activate(activation, x));
    }
    const auto channels = static_cast<int>(map.size());
    map.push_back(0);  // of no channel
    RunOnHost(ActivateCall{.pixels = 1,
                           .channels = channels,
                           .stored = channels + 1,
                           .function = static_cast<PointwiseFunction>(function),
                           .alpha = activation.alpha,
                           .beta = activation.beta,
                           .map = map.data()});
    for (int c = 0; c < channels; ++c) {
      EXPECT_NEAR(map[c], expected[c], 1e-6 * std::abs(expected[c])) << function << " of channel " << c;
    }
    EXPECT_EQ(map.back(), 0) << function;
  }
}

TEST(Activate, RoundsToBfloat16WhereAsked) {
  float map[] = {1.0078125f + 0x1p-10f};
  RunOnHost(ActivateCall{.pixels = 1,
                         .channels = 1,
                         .stored = 1,
                         .function = PointwiseFunction::kClip,
                         .alpha = 6,
                         .bfloat16 = true,
                         .map = map});
  EXPECT_EQ(map[0], 1.0078125f);
}

TEST(Gate, GivesTheContractsCodesOfEveryChannelAndItsFactor) {
  constexpr int kImages = 2, kPixels = 300, kChannels = 6, kStored = 8;
  std::mt19937_64 random(7);
  alignas(4) static uint8_t in[kImages * kPixels * kStored], out[sizeof in];
  uint8_t factors[kImages * kStored];
  for (uint8_t& code : in) code = static_cast<uint8_t>(random());
  for (uint8_t& code : factors) code = static_cast<uint8_t>(random());
  const GateCall call{.images = kImages,
                      .pixels = kPixels,
                      .channels = kChannels,
                      .stored = kStored,
                      .factors_stored = kStored,
                      .scale = 0x1.234p-7f,
                      .in_zero = 100,
                      .factor_zero = 3,
                      .out_zero = 60,
                      .highest = 200,
                      .in = in,
                      .factors = factors,
                      .out = out};
  RunOnHost(call);
  for (int i = 0; i < kImages * kPixels * kStored; ++i) {
    const int channel = i % kStored, factor = factors[i / (kPixels * kStored) * kStored + channel];
    const int expected = channel < kChannels ? RequantizeProduct((in[i] - 100) * (factor - 3), call.scale, 60, 200) : 0;
    ASSERT_EQ(out[i], expected) << i;
  }
}

TEST(Gate, RoundsHalvesToEven) {
  alignas(4) uint8_t in[] = {1, 3, 5, 7}, factors[] = {1, 1, 1, 1}, out[4];
  RunOnHost(GateCall{.images = 1,
                     .pixels = 1,
                     .channels = 4,
                     .stored = 4,
                     .factors_stored = 4,
                     .scale = 0.5f,
                     .highest = 255,
                     .in = in,
                     .factors = factors,
                     .out = out});
  EXPECT_THAT(out, ElementsAre(0, 2, 2, 4));
}

TEST(Gate, MultipliesFloats) {
  const float in[] = {1.5f, -2, 0, 4}, factors[] = {2, 3};
  float out[4];
  RunOnHost(GateCall{.images = 1,
                     .pixels = 2,
                     .channels = 2,
                     .stored = 2,
                     .factors_stored = 2,
                     .floats = true,
                     .in = in,
                     .factors = factors,
                     .out = out});
  EXPECT_THAT(out, ElementsAre(3, -6, 0, 12));
}

TEST(SumsConv, SumsBeyond32BitsExactlyAndWritesZerosBehindTheOutputs) {
  constexpr int kDepth = 70, kStored = 4;
  std::vector<int32_t> in(2 * kDepth, 2'000'000'000);
  in[kDepth] = 7;
  std::vector<int8_t> weights(3 * kDepth, 127);
  const std::vector<float> scale = {0x1p-37f, 0x1p-38f, 0x1p-39f, 0}, bias = {0.5f, 0, 3, 0};
  uint8_t out[2 * kStored] = {9, 9, 9, 9, 9, 9, 9, 9};
  RunOnHost(SumsConvCall{.rows = 2,
                         .depth = kDepth,
                         .outputs = 3,
                         .out_stored = kStored,
                         .in = in.data(),
                         .weights = weights.data(),
                         .epilogue = {.scale = scale.data(), .bias = bias.data(), .highest = 255},
                         .out = out});
  for (int row = 0; row < 2; ++row) {
    int64_t sum = 0;
    for (int d = 0; d < kDepth; ++d) sum += int64_t{in[row * kDepth + d]} * 127;
    for (int o = 0; o < kStored; ++o) {
      EXPECT_EQ(out[row * kStored + o], o < 3 ? Requantize(sum, scale[o], bias[o], 255) : 0) << row << " " << o;
    }
  }
}

TEST(SumsConv, OfFloatsHasTheEpilogueOfConvolutions) {
  const float in[] = {1, 2}, weights[] = {3, 4, -5, 1}, scale[] = {2, 1}, bias[] = {0.5f, 0};
  float out[2];
  SumsConvCall call{.rows = 1,
                    .depth = 2,
                    .outputs = 2,
                    .out_stored = 2,
                    .floats = true,
                    .in = in,
                    .weights = weights,
                    .epilogue = {.scale = scale, .bias = bias},
                    .out = out};
  RunOnHost(call);
  EXPECT_THAT(out, ElementsAre(22.5f, 0));  // ReLU
  call.epilogue.relu = false;
  RunOnHost(call);
  EXPECT_THAT(out, ElementsAre(22.5f, -3));
}

}  // namespace
}  // namespace anybit::model::cuda
