#include "server/timeout_queue.h"

#include <chrono>
#include <optional>

#include "gtest/gtest.h"

namespace anybit::server {
namespace {

using std::chrono::seconds;

MonoTime T(int at) { return MonoTime(seconds(at)); }

TEST(TimeoutQueueTest, AnItemIsTakenAfterItsTimeAndGraceAndNotBefore) {
  TimeoutQueue<int> queue(seconds(10), seconds(2));
  queue.Add(7, T(1));
  EXPECT_EQ(queue.next(), T(11));
  EXPECT_EQ(queue.TakeExpired(T(11) - Duration(1)), std::nullopt);
  EXPECT_EQ(queue.TakeExpired(T(11)), std::nullopt);
  EXPECT_EQ(queue.next(), T(13));
  EXPECT_EQ(queue.TakeExpired(T(13) - Duration(1)), std::nullopt);
  EXPECT_EQ(queue.TakeExpired(T(13)), 7);
  EXPECT_EQ(queue.TakeExpired(T(13)), std::nullopt);
  EXPECT_EQ(queue.next(), kNever);
}

TEST(TimeoutQueueTest, AfterAnyStopAnItemHasItsWholeGrace) {
  TimeoutQueue<int> queue(seconds(10), seconds(2));
  queue.Add(7, T(1));
  EXPECT_EQ(queue.TakeExpired(T(1000)), std::nullopt);
  EXPECT_EQ(queue.next(), T(1002));
  // Stopped once more, during the grace.
  EXPECT_EQ(queue.TakeExpired(T(2000)), std::nullopt);
  EXPECT_EQ(queue.next(), T(2002));
  EXPECT_EQ(queue.TakeExpired(T(2003)), 7);
}

TEST(TimeoutQueueTest, ItemsThatBeganLaterExpireLaterAcrossTheGraceOfOthers) {
  TimeoutQueue<int> queue(seconds(10), seconds(2));
  queue.Add(1, T(1));
  queue.Add(2, T(2));
  queue.Add(3, T(5));
  EXPECT_EQ(queue.TakeExpired(T(11)), std::nullopt);
  EXPECT_EQ(queue.next(), T(12));
  EXPECT_EQ(queue.TakeExpired(T(12)), std::nullopt);
  EXPECT_EQ(queue.TakeExpired(T(13)), 1);
  EXPECT_EQ(queue.TakeExpired(T(14)), 2);
  EXPECT_EQ(queue.next(), T(15));
}

TEST(TimeoutQueueTest, ARemovedItemIsNeverTakenInItsTimeOrInItsGrace) {
  TimeoutQueue<int> queue(seconds(10), seconds(2));
  const auto first = queue.Add(1, T(1));
  const auto second = queue.Add(2, T(2));
  queue.Add(3, T(3));
  queue.Remove(second);
  EXPECT_EQ(queue.TakeExpired(T(11)), std::nullopt);
  queue.Remove(first);
  EXPECT_EQ(queue.next(), T(13));
  EXPECT_EQ(queue.TakeExpired(T(13)), std::nullopt);
  EXPECT_EQ(queue.TakeExpired(T(15)), 3);
}

TEST(TimeoutQueueTest, ATimeoutBeyondTheEndOfTimeNeverEnds) {
  TimeoutQueue<int> queue(Duration::max(), seconds(1));
  queue.Add(1, T(1));
  EXPECT_EQ(queue.next(), kNever);
  EXPECT_EQ(queue.TakeExpired(kNever), std::nullopt);
}

}  // namespace
}  // namespace anybit::server
