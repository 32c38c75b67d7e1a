#include "server/grpc_deadline.h"

#include <chrono>

#include "gtest/gtest.h"

namespace anybit::server {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr WallTime kArrival(hours(500'000));

TEST(GrpcDeadlineTest, WhatIsLeftIsTheDifferenceOfWallTimes) {
  const GrpcDeadline deadline(kArrival + milliseconds(50), kArrival);
  EXPECT_EQ(deadline.Left(kArrival), milliseconds(50));
  EXPECT_EQ(deadline.Left(kArrival + milliseconds(60)), milliseconds(-10));
}

TEST(GrpcDeadlineTest, WithoutADeadlineThereIsNoEnd) {
  const GrpcDeadline none(WallTime::max(), kArrival);
  EXPECT_EQ(none.Left(kArrival), Duration::max());
  EXPECT_FALSE(none.HasEnded(kArrival + hours(1)));
  EXPECT_FALSE(GrpcDeadline().HasEnded(kArrival));
}

TEST(GrpcDeadlineTest, AnEndFiveMillisecondsAndAHundredthEarlyIsTheDeadlines) {
  const GrpcDeadline deadline(kArrival + seconds(10), kArrival);
  EXPECT_FALSE(deadline.HasEnded(kArrival + seconds(10) - milliseconds(106)));
  EXPECT_TRUE(deadline.HasEnded(kArrival + seconds(10) - milliseconds(105)));
}

TEST(GrpcDeadlineTest, ALongDeadlinesRoundingIsOneSecondAtMost) {
  const GrpcDeadline deadline(kArrival + hours(1), kArrival);
  EXPECT_FALSE(deadline.HasEnded(kArrival + hours(1) - milliseconds(1006)));
  EXPECT_TRUE(deadline.HasEnded(kArrival + hours(1) - milliseconds(1005)));
}

}  // namespace
}  // namespace anybit::server
