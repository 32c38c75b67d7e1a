#include "model/format/float_input.h"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/format/float_input_spec.h"

namespace anybit::model {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr double kMean[] = {0.485, 0.456, 0.406}, kDeviation[] = {0.229, 0.224, 0.225};

proto::FloatInput ImageNet(bool channels_first) {
  proto::FloatInput input;
  input.set_channels_first(channels_first);
  input.set_scale(1.0 / 255);
  for (int c = 0; c < 3; ++c) {
    input.add_mean(kMean[c]);
    input.add_std(kDeviation[c]);
  }
  return input;
}

std::string Bytes(const std::vector<float>& values) {
  return std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
}

// The codes of rows {1, count, channels}.
std::vector<uint8_t> Codes(const proto::FloatInput& input, const std::vector<float>& values) {
  const int64_t channels = input.mean_size();
  const FloatInput described = DescribeFloatInput(input, {1, static_cast<int64_t>(values.size()) / channels, channels});
  std::vector<uint8_t> codes(values.size());
  EXPECT_EQ(ToCodes(described, Bytes(values), codes.data()), std::nullopt);
  return codes;
}

proto::FloatInput Plain(double scale, double mean, double deviation) {
  proto::FloatInput input;
  input.set_scale(scale);
  input.add_mean(mean);
  input.add_std(deviation);
  return input;
}

TEST(FloatInputTest, NormalisedPixelsAreTheirCodesAgain) {
  for (const bool channels_first : {false, true}) {
    std::vector<float> values;
    std::vector<uint8_t> pixels;
    for (int i = 0; i < 3 * 256; ++i) {
      const int c = channels_first ? i / 256 : i % 3, pixel = channels_first ? i % 256 : i / 3;
      const float scaled = static_cast<float>(pixel) / 255.0f;
      values.push_back((scaled - static_cast<float>(kMean[c])) / static_cast<float>(kDeviation[c]));
      pixels.push_back(static_cast<uint8_t>(i / 3));  // channels last
    }
    EXPECT_EQ(Codes(ImageNet(channels_first), values), pixels) << channels_first;
  }
}

TEST(FloatInputTest, ANumberBetweenTwoCodesIsTheNearerOrTheEvenOne) {
  EXPECT_THAT(Codes(Plain(1, 0, 1), {0.5f, 1.5f, 2.5f, 2.49f, 2.51f, 254.5f}), ElementsAre(0, 2, 2, 2, 3, 254));
}

TEST(FloatInputTest, NumbersBeyondTheCodesAreTheNearestCode) {
  constexpr float kLargest = std::numeric_limits<float>::max();
  EXPECT_THAT(Codes(Plain(1, 0, 1), {-0.0f, -1, -kLargest, 255.4f, 300, kLargest, 1e-40f}),
              ElementsAre(0, 0, 0, 255, 255, 255, 0));
}

TEST(FloatInputTest, TheFirstNumberThatIsNotFiniteIsNamed) {
  const FloatInput input = DescribeFloatInput(ImageNet(true), {2, 2, 3});
  for (const float bad : {std::nanf(""), INFINITY, -INFINITY}) {
    for (const size_t at : {0u, 7u, 23u}) {
      std::vector<float> values(24, 0.5f);
      values[at] = bad;
      if (at < 20) values[20] = bad;
      std::vector<uint8_t> codes(24);
      EXPECT_EQ(ToCodes(input, Bytes(values), codes.data()), static_cast<int64_t>(at));
    }
  }
}

TEST(FloatInputTest, OfClipsEachFrameHasItsChannelsFirst) {
  const FloatInput input = DescribeFloatInput(
      [] {
        proto::FloatInput two = Plain(1, 0, 1);
        two.add_mean(100);
        two.add_std(1);
        two.set_channels_first(true);
        return two;
      }(),
      {2, 1, 2, 2});
  EXPECT_THAT(input.shape, ElementsAre(2, 2, 1, 2));
  std::vector<uint8_t> codes(8);
  ToCodes(input, Bytes({1, 2, 3, 4, 5, 6, 7, 8}), codes.data());
  EXPECT_THAT(codes, ElementsAre(1, 103, 2, 104, 5, 107, 6, 108));
}

TEST(FloatInputTest, ParametersWithoutMeaningAreRefusedByName) {
  EXPECT_TRUE(CheckFloatInput(ImageNet(true), 3).ok());
  EXPECT_THAT(std::string(CheckFloatInput(ImageNet(true), 1).message()), HasSubstr("3 values of mean for 1 channels"));
  for (const double scale : {0.0, -1.0, static_cast<double>(NAN), static_cast<double>(INFINITY)}) {
    EXPECT_THAT(std::string(CheckFloatInput(Plain(scale, 0, 1), 1).message()), HasSubstr("is not a positive number"));
  }
  for (const double deviation : {0.0, -1.0, 1e39, 1e-60, static_cast<double>(NAN)}) {
    EXPECT_THAT(std::string(CheckFloatInput(Plain(1, 0, deviation), 1).message()), HasSubstr("channel 0 has mean 0"));
  }
  EXPECT_FALSE(CheckFloatInput(Plain(1, 1e39, 1), 1).ok());
  EXPECT_FALSE(CheckFloatInput(Plain(1, NAN, 1), 1).ok());
}

}  // namespace
}  // namespace anybit::model
