#include "model/kernels/cpu/map_passes.h"

#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/format/requantize.h"

namespace anybit::model {
namespace {

using ::testing::Each;

// A map of 5 channels in 16, with a border of one place above and left, two below and right.
constexpr FeatureMap kMap{.height = 3, .width = 4, .channels = 5, .stored_channels = 16, .before = 1, .after = 2};

TEST(MapPassesTest, TablesChangeTheMapAndNothingElse) {
  std::vector<uint8_t> table(256);
  for (int i = 0; i < 256; ++i) table[i] = static_cast<uint8_t>(255 - i);
  std::vector<uint8_t> image(kMap.image_stride(), 7);
  LookUpCodes(kMap, table.data(), image.data());
  int64_t changed = 0;
  for (const uint8_t code : image) changed += code == 248;
  EXPECT_EQ(changed, 3 * 4 * 5);
  EXPECT_EQ(image[kMap.at(2, 3) + 4], 248);
  EXPECT_EQ(image[kMap.at(2, 3) + 5], 7) << "a channel that is only padded";
  EXPECT_EQ(image[kMap.at(-1, 0)], 7);
}

TEST(MapPassesTest, BordersArePixelsWithoutPaddedChannels) {
  std::vector<uint8_t> image(kMap.image_stride(), 0);
  const std::vector<uint8_t> pixel = {1, 2, 3, 4, 5};
  FillBorder<uint8_t>(kMap, pixel, image.data());
  for (int64_t y = -1; y < 5; ++y) {
    for (int64_t x = -1; x < 6; ++x) {
      const bool inside = y >= 0 && y < 3 && x >= 0 && x < 4;
      for (int64_t c = 0; c < 16; ++c) {
        EXPECT_EQ(image[kMap.at(y, x) + c], !inside && c < 5 ? pixel[c] : 0) << y << " " << x << " " << c;
      }
    }
  }
}

TEST(MapPassesTest, GatesGiveTheCodesOfTheDefinition) {
  const FeatureMap map{.height = 1, .width = 256, .channels = 3, .stored_channels = 16};
  std::vector<uint8_t> in(map.image_stride()), out(map.image_stride());
  for (int64_t x = 0; x < 256; ++x) {
    for (int64_t c = 0; c < 3; ++c) in[map.at(0, x) + c] = static_cast<uint8_t>(x + 5 * c);
  }
  for (const float scale : {0.0031f, 0.00390625f, -0.02f}) {
    std::vector<double> factors;
    for (const int gate : {0, 17, 255}) factors.push_back((gate - 3) * static_cast<double>(scale));
    GateCodes({.in = map, .out = map, .factors = factors, .in_zero = 100, .out_zero = 9, .highest = 63}, in.data(),
              out.data());
    for (int64_t x = 0; x < 256; ++x) {
      for (int64_t c = 0; c < 3; ++c) {
        const int gates[] = {0, 17, 255};
        const int product = (in[map.at(0, x) + c] - 100) * (gates[c] - 3);
        EXPECT_EQ(out[map.at(0, x) + c], RequantizeProduct(product, scale, 9, 63)) << x << " " << c;
      }
    }
  }
}

TEST(MapPassesTest, FloatsAreTheFunctionsValues) {
  const FeatureMap map{.height = 1, .width = 41, .channels = 1, .stored_channels = 1};
  for (int function = proto::Activation::CLIP; function <= proto::Activation::MISH; ++function) {
    const Activation activation{.function = static_cast<ActivationFunction>(function), .alpha = 0.25f, .beta = 0.5f};
    std::vector<float> values;
    for (int i = -20; i <= 20; ++i) values.push_back(static_cast<float>(i) / 4);
    const std::vector<float> before = values;
    ActivateFloats(map, activation, values.data());
    for (size_t i = 0; i < values.size(); ++i)
      EXPECT_NEAR(values[i], Activate(activation, before[i]), 1e-6) << function;
  }
}

}  // namespace
}  // namespace anybit::model
