#include "model/data/random_crop.h"

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

namespace anybit::model {
namespace {

constexpr ExampleShape kLarge{.height = 224, .width = 224};

TEST(DrawCrop, HasTheStatedAreasAndAspectsAndReachesTheirLimits) {
  std::mt19937_64 random(1);
  double smallest = 1, largest = 0, narrowest = 9, widest = 0;
  for (int i = 0; i < 20000; ++i) {
    const PixelBox box = DrawCrop(0.08, kLarge, random);
    ASSERT_GE(box.top, 0);
    ASSERT_GE(box.left, 0);
    ASSERT_LE(box.bottom, 224);
    ASSERT_LE(box.right, 224);
    const double area = static_cast<double>(box.pixels()) / (224 * 224);
    const double aspect = static_cast<double>(box.width()) / static_cast<double>(box.height());
    smallest = std::min(smallest, area);
    largest = std::max(largest, area);
    narrowest = std::min(narrowest, aspect);
    widest = std::max(widest, aspect);
  }
  // Half a pixel of rounding, of at least 54 pixels, on either side of the limits.
  EXPECT_NEAR(smallest, 0.08, 0.08 * 0.02);
  EXPECT_NEAR(largest, 1, 0.02);
  EXPECT_NEAR(narrowest, 0.75, 0.02);
  EXPECT_NEAR(widest, 4.0 / 3, 0.03);
}

TEST(DrawCrop, IsAsOftenHighAsWideAndAnywhereInThePicture) {
  std::mt19937_64 random(2);
  int high = 0, upper = 0, left = 0, free = 0;
  for (int i = 0; i < 4000; ++i) {
    const PixelBox box = DrawCrop(0.08, kLarge, random);
    high += box.height() > box.width();
    if (box.height() == 224 || box.width() == 224) continue;
    ++free;
    upper += box.top + box.bottom < 224;
    left += box.left + box.right < 224;
  }
  EXPECT_NEAR(high, 2000, 200);
  EXPECT_NEAR(upper, free / 2, 200);
  EXPECT_NEAR(left, free / 2, 200);
}

TEST(DrawCrop, TakesTheMiddleOfAPictureThatIsTooLongForEveryPart) {
  std::mt19937_64 random(3);
  const PixelBox box = DrawCrop(1, {.height = 9, .width = 100}, random);
  EXPECT_EQ(box.top, 0);
  EXPECT_EQ(box.bottom, 9);
  EXPECT_EQ(box.width(), 12);
  EXPECT_EQ(box.left, 44);
}

TEST(EnlargeCrop, LeavesTheWholePictureAsItIs) {
  const ExampleShape shape{.frames = 2, .height = 5, .width = 7, .channels = 3};
  std::vector<uint8_t> row(shape.elements());
  for (size_t i = 0; i < row.size(); ++i) row[i] = static_cast<uint8_t>(i * 37);
  std::vector<uint8_t> enlarged = row;
  EnlargeCrop({.top = 0, .left = 0, .bottom = 5, .right = 7}, shape, enlarged);
  EXPECT_EQ(enlarged, row);
}

TEST(EnlargeCrop, ShowsNothingFromOutsideThePart) {
  const ExampleShape shape{.height = 8, .width = 8, .channels = 3};
  std::vector<uint8_t> row(shape.elements(), 255);
  for (int y = 2; y < 5; ++y) std::fill_n(row.begin() + (y * 8 + 3) * 3, 4 * 3, 90);
  EnlargeCrop({.top = 2, .left = 3, .bottom = 5, .right = 7}, shape, row);
  EXPECT_EQ(row, std::vector<uint8_t>(shape.elements(), 90));
}

TEST(EnlargeCrop, InterpolatesBetweenPixelsOfThePart) {
  // A ramp of 10 per pixel, of which the right half becomes one of 5 per pixel.
  const ExampleShape shape{.height = 1, .width = 8};
  std::vector<uint8_t> row = {0, 10, 20, 30, 40, 50, 60, 70};
  EnlargeCrop({.top = 0, .left = 4, .bottom = 1, .right = 8}, shape, row);
  EXPECT_EQ(row, (std::vector<uint8_t>{40, 43, 48, 53, 58, 63, 68, 70}));
}

}  // namespace
}  // namespace anybit::model
