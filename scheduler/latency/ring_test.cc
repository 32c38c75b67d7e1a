#include "scheduler/latency/ring.h"

#include <vector>

#include "gtest/gtest.h"

namespace anybit::scheduler {
namespace {

std::vector<int> Values(const Ring<int>& ring) {
  std::vector<int> values;
  for (size_t i = 0; i < ring.size(); ++i) values.push_back(ring[i]);
  return values;
}

Ring<int> Filled(size_t capacity, int values) {
  Ring<int> ring(capacity);
  for (int i = 1; i <= values; ++i) ring.Push(i);
  return ring;
}

TEST(RingTest, ANewValueTakesThePlaceOfTheOldest) {
  EXPECT_EQ(Values(Filled(3, 2)), (std::vector{1, 2}));
  EXPECT_EQ(Values(Filled(3, 5)), (std::vector{3, 4, 5}));
  EXPECT_EQ(Filled(3, 5).oldest(), 3);
  EXPECT_EQ(Filled(3, 5).newest(), 5);
}

TEST(RingTest, DropsFromEitherEnd) {
  Ring<int> ring = Filled(4, 6);
  ring.DropOldest(1);
  ring.DropNewest(1);
  EXPECT_EQ(Values(ring), (std::vector{4, 5}));
  ring.Push(7);
  EXPECT_EQ(Values(ring), (std::vector{4, 5, 7}));
  ring.DropOldest(3);
  EXPECT_TRUE(ring.empty());
}

TEST(RingTest, DroppingSomeKeepsTheOrderOfTheOthers) {
  Ring<int> ring = Filled(5, 8);  // 4, 5, 6, 7, 8
  ring.DropIf([](int value) { return value % 2 == 0; });
  EXPECT_EQ(Values(ring), (std::vector{5, 7}));
  ring.Push(9);
  EXPECT_EQ(Values(ring), (std::vector{5, 7, 9}));
}

TEST(RingTest, IsEmptyOnceCleared) {
  Ring<int> ring = Filled(2, 2);
  ring.Clear();
  EXPECT_TRUE(ring.empty());
  ring.Push(3);
  EXPECT_EQ(Values(ring), std::vector{3});
}

}  // namespace
}  // namespace anybit::scheduler
