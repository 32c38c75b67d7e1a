#include "model/import/square_window.h"

#include <gtest/gtest.h>

#include <vector>

namespace anybit::model {
namespace {

// The sums of a window of ones, twos, threes, ... over 1, 4, 9, ..., with zeros around.
std::vector<int64_t> Sums(const WindowSide& side) {
  std::vector<int64_t> sums;
  for (int64_t o = 0; o < side.outputs(); ++o) {
    int64_t& sum = sums.emplace_back(0);
    for (int64_t k = 0; k < side.size; ++k) {
      const int64_t at = o * side.stride + k * side.dilation - side.before;
      if (at >= 0 && at < side.extent) sum += (k + 1) * (at + 1) * (at + 1);
    }
  }
  return sums;
}

// The same with the weights inside a square.
std::vector<int64_t> SquareSums(const WindowSide& side, const SquareWindow& square, int64_t first) {
  std::vector<int64_t> sums;
  for (int64_t o = 0; o * square.stride + square.kernel <= side.extent + 2 * square.padding; ++o) {
    int64_t& sum = sums.emplace_back(0);
    for (int64_t k = 0; k < side.size; ++k) {
      const int64_t at = o * square.stride + first + k * side.dilation - square.padding;
      if (at >= 0 && at < side.extent) sum += (k + 1) * (at + 1) * (at + 1);
    }
  }
  return sums;
}

TEST(SquareWindow, GivesTheSameSumsForAllSidesThatItTakes) {
  int found = 0;
  for (int64_t extent : {5, 8, 9}) {
    for (int64_t size : {1, 2, 3, 5}) {
      for (int64_t stride : {1, 2, 3}) {
        for (int64_t dilation : {1, 2}) {
          for (int64_t before : {0, 1, 2}) {
            for (int64_t behind : {0, 1, 2, 3}) {
              const WindowSide side{extent, size, stride, dilation, before, behind};
              if (side.outputs() < 1) continue;
              const auto square = FindSquareWindow(side, side);
              if (!square.has_value()) continue;
              ++found;
              EXPECT_LE(square->kernel, 7);
              EXPECT_LT(square->padding, square->kernel);
              EXPECT_EQ(SquareSums(side, *square, square->first[0]), Sums(side));
            }
          }
        }
      }
    }
  }
  EXPECT_GT(found, 500);
}

TEST(SquareWindow, LeavesASquareWindowWithEqualPaddingAsItIs) {
  const WindowSide side{.extent = 8, .size = 3, .stride = 2, .before = 1, .behind = 1};
  const auto square = FindSquareWindow(side, side);
  ASSERT_TRUE(square.has_value());
  EXPECT_EQ(square->kernel, 3);
  EXPECT_EQ(square->padding, 1);
  EXPECT_EQ(square->first, (std::array<int, 2>{0, 0}));
}

// TensorFlow's SAME padding of a window that strides over an even extent.
TEST(SquareWindow, PadsBehindOnlyWithOneMoreRow) {
  const WindowSide side{.extent = 8, .size = 3, .stride = 2, .before = 0, .behind = 1};
  const auto square = FindSquareWindow(side, side);
  ASSERT_TRUE(square.has_value());
  EXPECT_EQ(square->kernel, 4);
  EXPECT_EQ(square->padding, 1);
  EXPECT_EQ(square->first, (std::array<int, 2>{1, 1}));
}

TEST(SquareWindow, TakesALineAsASquare) {
  const WindowSide rows{.extent = 8, .size = 1}, columns{.extent = 8, .size = 7, .before = 3, .behind = 3};
  const auto square = FindSquareWindow(rows, columns);
  ASSERT_TRUE(square.has_value());
  EXPECT_EQ(square->kernel, 7);
  EXPECT_EQ(square->first, (std::array<int, 2>{3, 0}));
}

TEST(SquareWindow, FindsNoneBeyondTheLimits) {
  const WindowSide large{.extent = 32, .size = 9}, fast{.extent = 32, .size = 3, .stride = 5},
      far{.extent = 32, .size = 3, .dilation = 4};
  const WindowSide two{.extent = 32, .size = 3, .stride = 2}, three{.extent = 32, .size = 3, .stride = 3};
  EXPECT_FALSE(FindSquareWindow(large, large).has_value());
  EXPECT_FALSE(FindSquareWindow(fast, fast).has_value());
  EXPECT_FALSE(FindSquareWindow(far, far).has_value());
  EXPECT_FALSE(FindSquareWindow(two, three).has_value());
}

}  // namespace
}  // namespace anybit::model
