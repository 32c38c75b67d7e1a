#include "base/image.h"

#include <gtest/gtest.h>

namespace anybit {
namespace {

using Pixels = std::vector<uint8_t>;

TEST(WithChannels, RepeatsGreyAndLeavesWhatHasTheChannelsAlready) {
  const Image grey{.height = 1, .width = 2, .pixels = {7, 250}};
  EXPECT_EQ(WithChannels(grey, 3).pixels, (Pixels{7, 7, 7, 250, 250, 250}));
  EXPECT_EQ(WithChannels(grey, 1).pixels, grey.pixels);
}

TEST(WithChannels, TakesTheLumaOfTheStoredValues) {
  const Image colours{
      .height = 1, .width = 5, .channels = 3, .pixels = {200, 30, 30, 255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255}};
  EXPECT_EQ(WithChannels(colours, 1).pixels, (Pixels{81, 76, 150, 29, 255}));
}

TEST(WithChannels, MakesEveryGreyColourThatGrey) {
  Image greys{.height = 1, .width = 256, .channels = 3};
  for (int value = 0; value < 256; ++value) greys.pixels.insert(greys.pixels.end(), 3, static_cast<uint8_t>(value));
  const Image grey = WithChannels(greys, 1);
  for (int value = 0; value < 256; ++value) EXPECT_EQ(grey.pixels[value], value);
}

}  // namespace
}  // namespace anybit
