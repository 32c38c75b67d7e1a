#include "model/data/mix_rows.h"

#include <algorithm>
#include <set>
#include <vector>

#include <gtest/gtest.h>

namespace anybit::model {
namespace {

constexpr ExampleShape kShape{.frames = 2, .height = 10, .width = 16, .channels = 3};

// Four rows, each of one value: 10, 20, 30, 40.
std::vector<uint8_t> FlatRows() {
  std::vector<uint8_t> images;
  for (int value = 10; value <= 40; value += 10) {
    images.insert(images.end(), kShape.elements(), static_cast<uint8_t>(value));
  }
  return images;
}

Augmentation Parsed(const char* text) { return *ParseAugmentation(text); }

TEST(MixesRows, IsTrueOfMixupAndCutmix) {
  EXPECT_TRUE(MixesRows(Parsed("mixup=0.2")));
  EXPECT_TRUE(MixesRows(Parsed("cutmix=1")));
  EXPECT_FALSE(MixesRows(Parsed("crop=0.08,mirror,randaugment=2:9,erase=0.25")));
}

TEST(MixPairs, GivesACutLabelTheShareOfItsPixels) {
  std::set<double> shares;
  for (uint64_t seed = 0; seed < 500; ++seed) {
    std::vector<uint8_t> images = FlatRows();
    const double share = MixPairs(Parsed("cutmix=1"), kShape, seed, images);
    shares.insert(share);
    for (int row = 0; row < 4; ++row) {
      const auto begin = images.begin() + row * kShape.elements(), end = begin + kShape.elements();
      const auto own = static_cast<uint8_t>(10 * (row + 1)), others = static_cast<uint8_t>(10 * ((row ^ 1) + 1));
      const auto count = [&](uint8_t value) { return static_cast<double>(std::count(begin, end, value)); };
      ASSERT_DOUBLE_EQ(count(own) / static_cast<double>(kShape.elements()), share);
      ASSERT_EQ(count(own) + count(others), static_cast<double>(kShape.elements()));
    }
  }
  EXPECT_GT(shares.size(), 50u);
}

TEST(MixPairs, ExchangesOneRectangleInAllFramesOfAllPairs) {
  std::vector<uint8_t> images = FlatRows();
  const double share = MixPairs(Parsed("cutmix=1"), kShape, 3, images);
  ASSERT_GT(share, 0);
  ASSERT_LT(share, 1);
  const int64_t frame = kShape.elements() / 2;
  const auto exchanged = [&](int64_t row, int64_t f, int64_t i) {
    return images[row * kShape.elements() + f * frame + i] != 10 * (row + 1);
  };
  int64_t top = 10, bottom = -1, left = 16, right = -1, pixels = 0;
  for (int64_t i = 0; i < frame; ++i) {
    for (int64_t row = 0; row < 4; ++row) {
      for (int64_t f = 0; f < 2; ++f) ASSERT_EQ(exchanged(row, f, i), exchanged(0, 0, i - i % 3));
    }
    if (i % 3 != 0 || !exchanged(0, 0, i)) continue;
    const int64_t y = i / 3 / 16, x = i / 3 % 16;
    ++pixels;
    top = std::min(top, y), bottom = std::max(bottom, y);
    left = std::min(left, x), right = std::max(right, x);
  }
  EXPECT_EQ(pixels, (bottom - top + 1) * (right - left + 1));
}

TEST(MixPairs, ChoosesMixupOrCutmixForHalfOfTheBatchesEachWhereBothAreAskedFor) {
  int cut = 0;
  for (uint64_t seed = 0; seed < 1000; ++seed) {
    std::vector<uint8_t> images = FlatRows();
    MixPairs(Parsed("mixup=1,cutmix=1"), kShape, seed, images);
    // Blended rows have values between those of the pair, which few shares round to one of them.
    cut += std::all_of(images.begin(), images.begin() + kShape.elements(), [](uint8_t v) { return v % 10 == 0; });
  }
  EXPECT_NEAR(cut, 550, 80);
}

TEST(DrawExchanged, HasTheProportionsOfThePictureAndIsAnywhere) {
  std::mt19937_64 random(1);
  std::set<int64_t> tops, lefts;
  int64_t largest = 0;
  for (int i = 0; i < 2000; ++i) {
    const PixelBox box = DrawExchanged(0.75, {.height = 20, .width = 40}, random);
    ASSERT_GE(box.top, 0);
    ASSERT_GE(box.left, 0);
    ASSERT_LE(box.bottom, 20);
    ASSERT_LE(box.right, 40);
    largest = std::max(largest, box.pixels());
    tops.insert(box.top);
    lefts.insert(box.left);
  }
  EXPECT_EQ(largest, 10 * 20);
  EXPECT_EQ(tops.size(), 15u);  // 0..14: the middle is in 0..19, half of the height before it
  EXPECT_EQ(lefts.size(), 30u);
  const PixelBox none = DrawExchanged(1, {.height = 20, .width = 40}, random);
  EXPECT_EQ(none.pixels(), 0);
}

}  // namespace
}  // namespace anybit::model
