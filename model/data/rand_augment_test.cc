#include "model/data/rand_augment.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <vector>

#include <gtest/gtest.h>

namespace anybit::model {
namespace {

constexpr ExampleShape kColoured{.frames = 2, .height = 9, .width = 12, .channels = 3};

std::vector<uint8_t> Noise(const ExampleShape& shape, uint64_t seed = 1) {
  std::mt19937_64 random(seed);
  std::vector<uint8_t> row(shape.elements());
  for (uint8_t& value : row) value = static_cast<uint8_t>(40 + random() % 170);
  return row;
}

std::vector<uint8_t> After(PictureOperation operation, double magnitude, bool negative, const ExampleShape& shape,
                           std::vector<uint8_t> row) {
  ApplyOperation(operation, magnitude, negative, shape, row);
  return row;
}

std::vector<PictureOperation> All() {
  std::vector<PictureOperation> all;
  for (int i = 0; i < kPictureOperations; ++i) all.push_back(static_cast<PictureOperation>(i));
  return all;
}

bool HasMagnitude(PictureOperation operation) {
  return operation != PictureOperation::kAutoContrast && operation != PictureOperation::kEqualize;
}

TEST(ApplyOperation, LeavesThePictureAsItIsAtMagnitude0) {
  for (const ExampleShape& shape : {kColoured, ExampleShape{.height = 7, .width = 8}}) {
    const std::vector<uint8_t> row = Noise(shape);
    for (const PictureOperation operation : All()) {
      if (!HasMagnitude(operation)) continue;
      for (const bool negative : {false, true}) {
        EXPECT_EQ(After(operation, 0, negative, shape, row), row) << static_cast<int>(operation);
      }
    }
  }
}

TEST(ApplyOperation, ChangesThePictureMoreAtAHigherMagnitude) {
  const std::vector<uint8_t> row = Noise(kColoured);
  for (const PictureOperation operation : All()) {
    if (!HasMagnitude(operation) || operation == PictureOperation::kIdentity) continue;
    const auto change = [&](double magnitude) {
      const std::vector<uint8_t> changed = After(operation, magnitude, true, kColoured, row);
      int64_t sum = 0;
      for (size_t i = 0; i < row.size(); ++i) sum += std::abs(changed[i] - row[i]);
      return sum;
    };
    EXPECT_GT(change(8), 0) << static_cast<int>(operation);
    // Pictures that are moved differ from themselves as much once they have moved by a pixel.
    if (operation < PictureOperation::kShearX && operation != PictureOperation::kRotate) {
      EXPECT_GT(change(30), change(8)) << static_cast<int>(operation);
    }
  }
}

TEST(ApplyOperation, GoesEitherWay) {
  const ExampleShape line{.height = 1, .width = 8};
  const std::vector<uint8_t> row = {1, 2, 3, 4, 5, 6, 7, 8};
  const double three = 30 * 331.0 * 3 / (150 * 8);  // the magnitude of three of eight pixels
  EXPECT_EQ(After(PictureOperation::kTranslateX, three, false, line, row),
            (std::vector<uint8_t>{4, 5, 6, 7, 8, 0, 0, 0}));
  EXPECT_EQ(After(PictureOperation::kTranslateX, three, true, line, row),
            (std::vector<uint8_t>{0, 0, 0, 1, 2, 3, 4, 5}));
  const ExampleShape pixel{.height = 1, .width = 1};
  EXPECT_EQ(After(PictureOperation::kBrightness, 30, false, pixel, {100}), std::vector<uint8_t>{190});
  EXPECT_EQ(After(PictureOperation::kBrightness, 30, true, pixel, {100}), std::vector<uint8_t>{10});
  EXPECT_EQ(After(PictureOperation::kBrightness, 30, false, pixel, {200}), std::vector<uint8_t>{255});
}

TEST(ApplyOperation, MovesWholePicturesByTheStatedAmounts) {
  const ExampleShape shape{.height = 331, .width = 331};
  std::vector<uint8_t> row(331 * 331);
  row[165 * 331 + 165 + 100] = 200;  // 100 pixels to the right of the middle
  const auto place = [&](PictureOperation operation) {
    const std::vector<uint8_t> moved = After(operation, 30, true, shape, row);
    double weight = 0, y = 0, x = 0;
    for (int i = 0; i < 331 * 331; ++i) {
      weight += moved[i];
      y += moved[i] * (i / 331 - 165.0);
      x += moved[i] * (i % 331 - 165.0);
    }
    return std::pair(y / weight, x / weight);
  };
  const auto [rotated_y, rotated_x] = place(PictureOperation::kRotate);
  EXPECT_NEAR(rotated_y, -50, 0.5);
  EXPECT_NEAR(rotated_x, 86.6, 0.5);
  const auto [sheared_y, sheared_x] = place(PictureOperation::kShearY);
  EXPECT_NEAR(sheared_y, 30, 0.5);
  EXPECT_NEAR(sheared_x, 100, 0.5);
  row[165 * 331 + 265] = 0;
  row[165 * 331 + 165] = 200;
  EXPECT_EQ(place(PictureOperation::kTranslateX), std::pair(0.0, 150.0));
  EXPECT_EQ(place(PictureOperation::kTranslateY), std::pair(150.0, 0.0));
}

TEST(ApplyOperation, InvertsBrightValuesAndDropsLowBits) {
  const ExampleShape pixels{.height = 1, .width = 3};
  EXPECT_EQ(After(PictureOperation::kSolarize, 15, false, pixels, {127, 128, 255}),
            (std::vector<uint8_t>{127, 127, 0}));
  EXPECT_EQ(After(PictureOperation::kSolarize, 30, false, pixels, {0, 128, 255}), (std::vector<uint8_t>{255, 127, 0}));
  EXPECT_EQ(After(PictureOperation::kPosterize, 30, false, pixels, {15, 16, 255}), (std::vector<uint8_t>{0, 16, 240}));
}

TEST(ApplyOperation, StretchesEachChannelToTheWholeRange) {
  const ExampleShape pixels{.height = 1, .width = 3, .channels = 3};
  // The third channel has one value, and stays.
  EXPECT_EQ(After(PictureOperation::kAutoContrast, 0, false, pixels, {50, 0, 9, 100, 255, 9, 75, 10, 9}),
            (std::vector<uint8_t>{0, 0, 9, 255, 255, 9, 128, 10, 9}));
}

TEST(ApplyOperation, EqualizesHistograms) {
  // 1020 values of four neighbouring greys, equally often.
  const ExampleShape shape{.height = 4, .width = 255};
  std::vector<uint8_t> row;
  for (int i = 0; i < 1020; ++i) row.push_back(static_cast<uint8_t>(100 + i % 4));
  const std::vector<uint8_t> equalized = After(PictureOperation::kEqualize, 0, false, shape, row);
  EXPECT_EQ(std::vector<uint8_t>(equalized.begin(), equalized.begin() + 4), (std::vector<uint8_t>{0, 85, 170, 255}));
}

TEST(ApplyOperation, TurnsColoursToTheirGreyAndContrastToItsMean) {
  const ExampleShape pixel{.height = 1, .width = 1, .channels = 3};
  // Grey 0.299 * 200 + 0.587 * 100 + 0.114 * 0 = 118.5; a tenth of the distances to it is left.
  EXPECT_EQ(After(PictureOperation::kColor, 30, true, pixel, {200, 100, 0}), (std::vector<uint8_t>{127, 117, 107}));
  const ExampleShape two{.height = 1, .width = 2};
  EXPECT_EQ(After(PictureOperation::kContrast, 30, true, two, {50, 150}), (std::vector<uint8_t>{95, 105}));
  EXPECT_EQ(After(PictureOperation::kContrast, 30, false, two, {50, 150}), (std::vector<uint8_t>{5, 195}));
}

TEST(ApplyOperation, SharpensAgainstTheNeighboursAndLeavesTheBorder) {
  const ExampleShape shape{.height = 3, .width = 3};
  const std::vector<uint8_t> row = {0, 0, 0, 0, 130, 0, 0, 0, 0};
  // Blurred: 5 / 13 of 130 = 50.
  EXPECT_EQ(After(PictureOperation::kSharpness, 30, true, shape, row)[4], 58);
  EXPECT_EQ(After(PictureOperation::kSharpness, 30, false, shape, row)[4], 202);
  EXPECT_EQ(After(PictureOperation::kSharpness, 30, false, shape, row)[3], 0);
}

TEST(ApplyRandAugment, DrawsEveryOperationAndTheSameOnesForTheSameSeed) {
  const ExampleShape shape{.frames = 2, .height = 20, .width = 30, .channels = 3};
  const std::vector<uint8_t> row = Noise(shape);
  std::set<std::vector<uint8_t>> seen;
  for (uint64_t seed = 0; seed < 400; ++seed) {
    std::vector<uint8_t> once = row, again = row;
    for (std::vector<uint8_t>* changed : {&once, &again}) {
      std::mt19937_64 random(seed);
      ApplyRandAugment({.operations = 1, .magnitude = 20}, shape, random, *changed);
    }
    EXPECT_EQ(once, again);
    seen.insert(once);
  }
  // Two ways of nine operations; one of posterize, solarize, autocontrast and equalize; and the picture itself.
  EXPECT_EQ(seen.size(), 2u * 9 + 4 + 1);
}

TEST(ApplyRandAugment, AppliesAsManyOperationsAsAskedFor) {
  const ExampleShape pixel{.height = 1, .width = 1};
  std::set<uint8_t> values;
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    std::vector<uint8_t> row = {80};
    std::mt19937_64 random(seed);
    ApplyRandAugment({.operations = 2, .magnitude = 10}, pixel, random, row);
    values.insert(row[0]);
  }
  // Brightness twice, by a factor of 1.3 each, which no single operation reaches.
  EXPECT_TRUE(values.contains(135));
}

}  // namespace
}  // namespace anybit::model
