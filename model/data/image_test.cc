#include "model/data/image.h"

#include <gtest/gtest.h>

#include "model/data/example_files.h"

namespace anybit::model {
namespace {

std::vector<uint8_t> Scaled(const Image& image, int64_t height, int64_t width) {
  std::vector<uint8_t> out(height * width * image.channels);
  ScaleToCover(image, height, width, out);
  return out;
}

TEST(ScaleToCover, LeavesAnImageOfTheRightSizeAsItIs) {
  const Image image = Gradient(5, 7, 3);
  EXPECT_EQ(Scaled(image, 5, 7), image.pixels);
}

TEST(ScaleToCover, CutsTheMiddleOutOfALongerSide) {
  const Image lying{.height = 1, .width = 5, .pixels = {1, 2, 3, 4, 5}};
  EXPECT_EQ(Scaled(lying, 1, 3), (std::vector<uint8_t>{2, 3, 4}));
  EXPECT_EQ(Scaled(lying, 1, 4), (std::vector<uint8_t>{1, 2, 3, 4}));
  const Image upright{.height = 5, .width = 1, .pixels = {1, 2, 3, 4, 5}};
  EXPECT_EQ(Scaled(upright, 1, 1), (std::vector<uint8_t>{3}));
}

TEST(ScaleToCover, KeepsProportionsByCuttingNotByStretching) {
  // Upper half dark, lower half light, cut left and right only.
  Image image{.height = 4, .width = 12};
  for (int y = 0; y < 4; ++y) image.pixels.insert(image.pixels.end(), 12, y < 2 ? 0 : 200);
  const std::vector<uint8_t> out = Scaled(image, 8, 8);
  for (int x = 0; x < 8; ++x) {
    EXPECT_EQ(out[x], 0);
    EXPECT_EQ(out[7 * 8 + x], 200);
  }
}

TEST(ScaleToCover, KeepsAFlatImageFlatAtEverySize) {
  const Image flat{.height = 7, .width = 11, .channels = 3, .pixels = std::vector<uint8_t>(7 * 11 * 3, 201)};
  for (int64_t side = 1; side < 30; ++side) {
    EXPECT_EQ(Scaled(flat, side, side), std::vector<uint8_t>(side * side * 3, 201)) << side;
  }
}

TEST(ScaleToCover, CutsTheMiddleOutOfAnImageAThousandTimesAsHighAsWide) {
  Image image{.height = 3001, .width = 3, .channels = 1};
  for (int64_t y = 0; y < image.height; ++y) image.pixels.insert(image.pixels.end(), 3, y == 1500 ? 200 : 10);
  std::vector<uint8_t> out(9);
  ScaleToCover(image, 3, 3, out);
  EXPECT_EQ(out, (std::vector<uint8_t>{10, 10, 10, 200, 200, 200, 10, 10, 10}));
}

TEST(ScaleToCover, AveragesWhereTheImageShrinks) {
  // A fine check would vanish or flicker if single pixels were picked; its mean must stay.
  Image check{.height = 64, .width = 64};
  for (int i = 0; i < 64 * 64; ++i) check.pixels.push_back((i / 64 + i) % 2 == 0 ? 0 : 200);
  for (int64_t side : {7, 8, 16, 31}) {
    for (uint8_t value : Scaled(check, side, side)) EXPECT_NEAR(value, 100, 12) << side;
  }
}

TEST(ScaleToCover, InterpolatesLinearlyWhereTheImageGrows) {
  const Image two{.height = 1, .width = 2, .pixels = {0, 100}};
  EXPECT_EQ(Scaled(two, 2, 4), (std::vector<uint8_t>{0, 25, 75, 100, 0, 25, 75, 100}));
}

TEST(Centred, PutsImagesIntoTheMiddleOfZeros) {
  const MemoryExamples set =
      *Centred(MemoryExamples({.height = 1, .width = 2}, {1, 2}, {8, 9, 3, 4}), {.height = 4, .width = 4});
  const std::vector<uint8_t> second(set.rows(1, 1).begin(), set.rows(1, 1).end());
  EXPECT_EQ(second, (std::vector<uint8_t>{0, 0, 0, 0, 0, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(set.label(1), 2);
}

TEST(Centred, NamesWhatDoesNotFit) {
  const auto error = [](const ExampleShape& shape) {
    return std::string(
        Centred(MemoryExamples({.height = 2, .width = 3}, {0}, std::vector<uint8_t>(6)), shape).status().message());
  };
  EXPECT_EQ(error({.height = 2, .width = 2}), "images of 2x3 do not fit 2x2");
  EXPECT_EQ(error({.frames = 4, .height = 2, .width = 3}), "still images for a network of 4 frames");
  EXPECT_EQ(error({.height = 2, .width = 3, .channels = 4}), "rows of 4 channels; images have 1 or 3");
  EXPECT_EQ(error({.height = 5000, .width = 3}), "rows of 5000x3x1; extents are 1..4096 and frames 1..256");
}

}  // namespace
}  // namespace anybit::model
