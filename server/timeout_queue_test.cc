#include "server/timeout_queue.h"

#include <chrono>
#include <optional>

#include "gtest/gtest.h"

namespace anybit::server {
namespace {

using std::chrono::seconds;

MonoTime T(int at) { return MonoTime(seconds(at)); }

TEST(TimeoutQueueTest, AnItemIsTakenWhenItsTimeHasEndedAndNotBefore) {
  TimeoutQueue<int> queue(seconds(10));
  queue.Add(7, T(1));
  EXPECT_EQ(queue.next(), T(11));
  EXPECT_EQ(queue.TakeExpired(T(11) - Duration(1)), std::nullopt);
  EXPECT_EQ(queue.TakeExpired(T(11)), 7);
  EXPECT_EQ(queue.TakeExpired(T(11)), std::nullopt);
  EXPECT_EQ(queue.next(), kNever);
}

TEST(TimeoutQueueTest, ARemovedItemIsNeverTakenAndTheOthersKeepTheirOrder) {
  TimeoutQueue<int> queue(seconds(10));
  queue.Add(1, T(1));
  const auto second = queue.Add(2, T(2));
  queue.Add(3, T(3));
  queue.Remove(second);
  EXPECT_EQ(queue.TakeExpired(T(100)), 1);
  EXPECT_EQ(queue.next(), T(13));
  EXPECT_EQ(queue.TakeExpired(T(100)), 3);
}

TEST(TimeoutQueueTest, ATimeoutBeyondTheEndOfTimeNeverEnds) {
  TimeoutQueue<int> queue(Duration::max());
  queue.Add(1, T(1));
  EXPECT_EQ(queue.next(), kNever);
  EXPECT_EQ(queue.TakeExpired(kNever), std::nullopt);
}

}  // namespace
}  // namespace anybit::server
