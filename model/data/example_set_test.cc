#include "model/data/example_set.h"

#include <algorithm>
#include <numeric>

#include <gtest/gtest.h>

namespace anybit::model {
namespace {

// Row i is two pixels of value i; its label is i % 3.
MemoryExamples Numbered(int64_t count) {
  std::vector<uint16_t> labels;
  std::vector<uint8_t> pixels;
  for (int64_t i = 0; i < count; ++i) {
    labels.push_back(static_cast<uint16_t>(i % 3));
    pixels.insert(pixels.end(), 2, static_cast<uint8_t>(i));
  }
  return MemoryExamples({.height = 1, .width = 2}, std::move(labels), std::move(pixels));
}

TEST(MemoryExamples, HaveAsManyClassesAsTheHighestLabelAsksForOrAsHaveNames) {
  EXPECT_EQ(Numbered(10).classes(), 3);
  EXPECT_EQ(MemoryExamples({.height = 1, .width = 1}, {65'534}, {0}).classes(), ExampleSet::kMaxClasses);
  EXPECT_EQ(MemoryExamples({.height = 1, .width = 1}, {0}, {0}, {"a", "b"}).classes(), 2);
  EXPECT_EQ(MemoryExamples({.height = 1, .width = 1}, {}, {}).classes(), 0);
}

TEST(Subset, ReadsTheRowsOfTheWholeInItsOwnOrder) {
  const MemoryExamples whole = Numbered(10);
  const Subset subset(whole, {7, 1, 7});
  EXPECT_EQ(subset.count(), 3);
  EXPECT_EQ(subset.classes(), 3);
  EXPECT_EQ(subset.label(0), 1);
  std::vector<uint8_t> row(2);
  ASSERT_TRUE(subset.Read(2, row).ok());
  EXPECT_EQ(row, (std::vector<uint8_t>{7, 7}));
  ASSERT_TRUE(subset.Read(1, row).ok());
  EXPECT_EQ(row, (std::vector<uint8_t>{1, 1}));
}

TEST(HoldOut, PutsEachRowIntoExactlyOnePart) {
  const MemoryExamples whole = Numbered(200);
  const HeldOutSplit split = HoldOut(whole, 50);
  EXPECT_EQ(split.held_out.count(), 50);
  std::vector<int64_t> all = split.training.indices();
  all.insert(all.end(), split.held_out.indices().begin(), split.held_out.indices().end());
  std::sort(all.begin(), all.end());
  std::vector<int64_t> expected(200);
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(all, expected);
}

TEST(HoldOut, DrawsFromTheWholeSetBecauseFoldersLieSortedByClass) {
  const MemoryExamples whole = Numbered(200);
  const HeldOutSplit split = HoldOut(whole, 40);
  for (int64_t quarter = 0; quarter < 4; ++quarter) {
    const int64_t in_quarter = std::count_if(split.held_out.indices().begin(), split.held_out.indices().end(),
                                             [&](int64_t i) { return i / 50 == quarter; });
    EXPECT_GT(in_quarter, 3) << quarter;
  }
}

TEST(HoldOut, OfNothingAndOfEverythingIsEmptyOnOneSide) {
  const MemoryExamples whole = Numbered(5);
  EXPECT_EQ(HoldOut(whole, 0).held_out.count(), 0);
  EXPECT_EQ(HoldOut(whole, 5).training.count(), 0);
}

TEST(ToText, NamesFramesOnlyWhereThereAreSeveral) {
  EXPECT_EQ(ToText({.height = 32, .width = 16, .channels = 3}), "32x16x3");
  EXPECT_EQ(ToText({.frames = 8, .height = 32, .width = 32}), "8x32x32x1");
}

}  // namespace
}  // namespace anybit::model
