#include "base/statistics.h"

#include <vector>

#include <gtest/gtest.h>

namespace anybit {
namespace {

TEST(Quantile, IsTheSmallestValueThatTheShareDoesNotExceed) {
  std::vector<int> values = {5, 1, 4, 2, 3};
  EXPECT_EQ(Quantile(values, 0.2), 1);
  EXPECT_EQ(Quantile(values, 0.21), 2);
  EXPECT_EQ(Quantile(values, 0.5), 3);
  EXPECT_EQ(Quantile(values, 1.0), 5);
  std::vector<int> one = {7};
  EXPECT_EQ(Quantile(one, 0.001), 7);
}

TEST(Quantile, IsNotMovedByTheRoundingOfItsShare) {
  std::vector<int> values;
  for (int i = 1; i <= 100; ++i) values.push_back(i);
  EXPECT_EQ(Quantile(values, 0.07), 7);  // .07 * 100 is above 7 in double
  EXPECT_EQ(Quantile(values, 0.99), 99);
  EXPECT_EQ(Quantile(values, 0.999), 100);
}

TEST(Median, TakesTheLowerOrTheUpperOfTwoMiddleValues) {
  std::vector<int> odd = {9, 1, 5};
  EXPECT_EQ(Median(odd), 5);
  EXPECT_EQ(UpperMedian(odd), 5);
  std::vector<int> even = {9, 1, 5, 7};
  EXPECT_EQ(Median(even), 5);
  EXPECT_EQ(UpperMedian(even), 7);
}

}  // namespace
}  // namespace anybit
