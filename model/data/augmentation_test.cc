#include "model/data/augmentation.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include <gtest/gtest.h>

namespace anybit::model {
namespace {

// Values 1.. row by row, so that each pixel can be told from the others and from 0.
std::vector<uint8_t> Counted(const ExampleShape& shape) {
  std::vector<uint8_t> row(shape.elements());
  for (size_t i = 0; i < row.size(); ++i) {
    row[i] = static_cast<uint8_t>(1 + i % (shape.elements() / shape.frames) % 255);
  }
  return row;
}

std::vector<uint8_t> Augmented(const char* text, const ExampleShape& shape, uint64_t seed, std::vector<uint8_t> row) {
  Augment(*ParseAugmentation(text), shape, seed, row);
  return row;
}

constexpr ExampleShape kSmall{.height = 8, .width = 8};

TEST(ParseAugmentation, ReadsWhatItWrites) {
  const Augmentation all{.crop = 0.08,
                         .shift = 2,
                         .mirror = true,
                         .rotate = 10,
                         .scale = 0.1,
                         .randaugment = {.operations = 2, .magnitude = 9},
                         .cutout = 8,
                         .erase = 0.25,
                         .mixup = 0.2,
                         .cutmix = 1};
  EXPECT_EQ(ToText(all),
            "crop=0.08,shift=2,mirror,rotate=10,scale=0.1,randaugment=2:9,cutout=8,erase=0.25,mixup=0.2,cutmix=1");
  EXPECT_EQ(*ParseAugmentation(ToText(all)), all);
  EXPECT_EQ(*ParseAugmentation("mixup=0.2,mirror"), (Augmentation{.mirror = true, .mixup = 0.2}));
  EXPECT_EQ(*ParseAugmentation(""), Augmentation());
  EXPECT_EQ(*ParseAugmentation("none"), Augmentation());
  EXPECT_EQ(ToText(Augmentation()), "none");
}

TEST(ParseAugmentation, NamesWordValueAndLimit) {
  const auto error = [](const char* text) { return std::string(ParseAugmentation(text).status().message()); };
  const std::string known = " is none of crop, shift, mirror, rotate, scale, randaugment, cutout, erase, mixup, cutmix";
  EXPECT_EQ(error("blur"), "augmentation 'blur'" + known);
  EXPECT_EQ(error("shift=2,"), "augmentation ''" + known);
  EXPECT_EQ(error("shift"), "augmentation 'shift=': not a whole number in 1..4096");
  EXPECT_EQ(error("shift=1.5"), "augmentation 'shift=1.5': not a whole number in 1..4096");
  EXPECT_EQ(error("mirror=1"), "augmentation 'mirror' takes no value");
  EXPECT_EQ(error("mixup=0.01"), "augmentation 'mixup=0.01': not in 0.05..1");
  EXPECT_EQ(error("rotate=nan"), "augmentation 'rotate=nan': not in 0.1..45");
  EXPECT_EQ(error("crop=0"), "augmentation 'crop=0': not in 0.01..1");
  EXPECT_EQ(error("cutmix=1.5"), "augmentation 'cutmix=1.5': not in 0.05..1");
  for (const char* wrong : {"randaugment=2", "randaugment=0:9", "randaugment=17:9", "randaugment=2:31",
                            "randaugment=2:-1", "randaugment=2:nan", "randaugment=1.5:9"}) {
    EXPECT_EQ(error(wrong), std::string("augmentation '") + wrong +
                                "': not OPERATIONS:MAGNITUDE with 1..16 operations and a magnitude in 0..30");
  }
  EXPECT_EQ(error("shift=1,shift=2"), "augmentation 'shift' is there twice");
}

TEST(CheckAugmentation, RefusesWhatLeavesThePicture) {
  EXPECT_TRUE(CheckAugmentation(*ParseAugmentation("shift=7,cutout=8"), kSmall).ok());
  EXPECT_EQ(CheckAugmentation(*ParseAugmentation("shift=8"), kSmall).message(),
            "augmentation 'shift=8': shift must be below and cutout at most 8 in pictures of 8x8x1");
  EXPECT_FALSE(CheckAugmentation(*ParseAugmentation("cutout=9"), kSmall).ok());
}

TEST(Augment, DoesTheSameForTheSameSeedOnly) {
  const char* const all = "crop=0.3,shift=2,mirror,rotate=10,scale=0.1,randaugment=2:9,cutout=3,erase=0.5";
  std::set<std::vector<uint8_t>> seen;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const std::vector<uint8_t> row = Augmented(all, kSmall, seed, Counted(kSmall));
    EXPECT_EQ(Augmented(all, kSmall, seed, Counted(kSmall)), row);
    seen.insert(row);
  }
  EXPECT_EQ(seen.size(), 20u);
  EXPECT_EQ(Augmented("none", kSmall, 1, Counted(kSmall)), Counted(kSmall));
}

TEST(Augment, DoesTheSameToEveryFrameOfAClip) {
  const ExampleShape clip{.frames = 3, .height = 8, .width = 8, .channels = 3};
  for (const char* text : {"shift=2,mirror", "crop=0.1", "rotate=20", "scale=0.3", "cutout=3", "erase=1"}) {
    for (uint64_t seed = 0; seed < 10; ++seed) {
      const std::vector<uint8_t> row = Augmented(text, clip, seed, Counted(clip));
      EXPECT_NE(row, Counted(clip)) << text;
      for (size_t i = 0; i < row.size(); ++i) ASSERT_EQ(row[i], row[i % (8 * 8 * 3)]) << text << " " << i;
      if (std::string(text) == "shift=2,mirror") break;  // one of its draws is to leave all as it is
    }
  }
}

TEST(Augment, ShowsPartsOfAllAreasInTheirOwnColours) {
  // A row whose value is its place: the range of values tells the part.
  const ExampleShape shape{.height = 64, .width = 64};
  std::vector<uint8_t> row(64 * 64);
  for (int i = 0; i < 64 * 64; ++i) row[i] = static_cast<uint8_t>(i / 64 * 2);
  int least = 255, most = 0;
  for (uint64_t seed = 0; seed < 500; ++seed) {
    const std::vector<uint8_t> out = Augmented("crop=0.25", shape, seed, row);
    const int lines = (*std::max_element(out.begin(), out.end()) - *std::min_element(out.begin(), out.end())) / 2 + 1;
    least = std::min(least, lines);
    most = std::max(most, lines);
  }
  EXPECT_GE(least, std::floor(64 * std::sqrt(0.25 * 3 / 4)));  // of the flattest
  EXPECT_LE(least, 32);                                        // of the smallest square
  EXPECT_EQ(most, 64);
}

TEST(Augment, MirrorsTheSameRowsWithOrWithoutRandAugment) {
  // At magnitude 0 most operations change nothing.
  const ExampleShape pixels{.height = 3, .width = 3};
  int equal = 0;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    equal += Augmented("mirror,randaugment=1:0", pixels, seed, Counted(pixels)) ==
             Augmented("mirror", pixels, seed, Counted(pixels));
  }
  EXPECT_GT(equal, 40);
}

TEST(Augment, ShiftReachesEveryOffsetEquallyAndFillsWithZeros) {
  std::map<std::pair<int, int>, int> offsets;
  for (uint64_t seed = 0; seed < 2500; ++seed) {
    const std::vector<uint8_t> row = Augmented("shift=2", kSmall, seed, Counted(kSmall));
    // The middle stays in the picture: where it went tells the offset, and all else must have gone with it.
    const int64_t at = std::find(row.begin(), row.end(), 1 + 4 * 8 + 4) - row.begin();
    const int dy = static_cast<int>(at / 8) - 4, dx = static_cast<int>(at % 8) - 4;
    ++offsets[{dy, dx}];
    for (int y = 0; y < 8; ++y) {
      for (int x = 0; x < 8; ++x) {
        const bool inside = y - dy >= 0 && y - dy < 8 && x - dx >= 0 && x - dx < 8;
        ASSERT_EQ(row[y * 8 + x], inside ? 1 + (y - dy) * 8 + x - dx : 0);
      }
    }
  }
  EXPECT_EQ(offsets.size(), 25u);
  for (const auto& [offset, count] : offsets) EXPECT_NEAR(count, 100, 50) << offset.first << " " << offset.second;
}

TEST(Augment, MirrorsHalfOfTheRowsLeftForRight) {
  const ExampleShape shape{.height = 2, .width = 2, .channels = 3};
  const std::vector<uint8_t> row = Counted(shape), mirrored = {4, 5, 6, 1, 2, 3, 10, 11, 12, 7, 8, 9};
  int count = 0;
  for (uint64_t seed = 0; seed < 1000; ++seed) {
    const std::vector<uint8_t> out = Augmented("mirror", shape, seed, row);
    ASSERT_TRUE(out == row || out == mirrored);
    count += out == mirrored;
  }
  EXPECT_NEAR(count, 500, 80);
}

TEST(Augment, RotatesAboutTheMiddleByUpToTheAngle) {
  // A spot on the circle of radius 12 about the middle of 33x33.
  const ExampleShape shape{.height = 33, .width = 33};
  std::vector<uint8_t> row(33 * 33);
  for (int y = -1; y <= 1; ++y) {
    for (int x = -1; x <= 1; ++x) row[(16 + y) * 33 + 28 + x] = 255;
  }
  double lowest = 0, highest = 0;
  for (uint64_t seed = 0; seed < 300; ++seed) {
    const std::vector<uint8_t> out = Augmented("rotate=30", shape, seed, row);
    double weight = 0, sum_y = 0, sum_x = 0;
    for (int i = 0; i < 33 * 33; ++i) {
      weight += out[i];
      sum_y += out[i] * (i / 33 - 16.0);
      sum_x += out[i] * (i % 33 - 16.0);
    }
    const double angle = std::atan2(sum_y / weight, sum_x / weight) * 180 / 3.14159265;
    EXPECT_NEAR(std::hypot(sum_y, sum_x) / weight, 12, 0.3) << seed;
    lowest = std::min(lowest, angle);
    highest = std::max(highest, angle);
  }
  EXPECT_NEAR(lowest, -30, 1.5);
  EXPECT_NEAR(highest, 30, 1.5);
}

TEST(Augment, ScalesAreasByTheSquareOfTheShare) {
  const ExampleShape shape{.height = 32, .width = 32};
  std::vector<uint8_t> row(32 * 32);
  for (int y = 11; y < 21; ++y) std::fill_n(row.begin() + y * 32 + 11, 10, 200);
  double least = 1e9, most = 0;
  for (uint64_t seed = 0; seed < 300; ++seed) {
    const std::vector<uint8_t> out = Augmented("scale=0.2", shape, seed, row);
    double area = 0;
    for (uint8_t value : out) area += value / 200.0;
    least = std::min(least, area);
    most = std::max(most, area);
  }
  EXPECT_NEAR(least, 64, 2.5);
  EXPECT_NEAR(most, 144, 2.5);
}

TEST(Augment, CutsOutOneSquareWhoseMiddleIsAnywhere) {
  std::set<int64_t> counts, corners;
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    const std::vector<uint8_t> out = Augmented("cutout=4", kSmall, seed, Counted(kSmall));
    const int64_t zeros = std::count(out.begin(), out.end(), 0);
    counts.insert(zeros);
    for (int i = 0; i < 64; ++i) {
      if (out[i] == 0) {
        corners.insert(i);
      } else
        ASSERT_EQ(out[i], i + 1);
    }
  }
  EXPECT_EQ(*counts.rbegin(), 16);
  EXPECT_EQ(*counts.begin(), 4);  // two by two in a corner
  EXPECT_EQ(corners.size(), 64u);
}

TEST(Augment, ErasesAShareOfTheRowsByNoiseWithinTheStatedAreas) {
  const ExampleShape shape{.height = 32, .width = 32};
  const std::vector<uint8_t> black(32 * 32);
  int erased = 0;
  for (uint64_t seed = 0; seed < 1000; ++seed) {
    const std::vector<uint8_t> out = Augmented("erase=0.25", shape, seed, black);
    const int64_t changed = 32 * 32 - std::count(out.begin(), out.end(), 0);
    erased += changed > 0;
    if (changed > 0) {
      // Whole extents, and noise that is 0 now and then, round the area.
      EXPECT_GE(changed, 0.02 * 1024 * 0.8) << seed;
      EXPECT_LE(changed, 0.33 * 1024 * 1.1) << seed;
    }
  }
  EXPECT_NEAR(erased, 250, 70);
}

}  // namespace
}  // namespace anybit::model
