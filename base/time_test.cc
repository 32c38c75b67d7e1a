#include "base/time.h"

#include <limits>

#include "gtest/gtest.h"

namespace anybit {
namespace {

using std::chrono::seconds;

TEST(TimeTest, AddingStopsAtTheEndsOfTime) {
  EXPECT_EQ(SaturatingAdd(MonoTime(seconds(1)), seconds(2)), MonoTime(seconds(3)));
  EXPECT_EQ(SaturatingAdd(kNever, Duration(1)), kNever);
  EXPECT_EQ(SaturatingAdd(MonoTime(seconds(1)), Duration::max()), kNever);
  EXPECT_EQ(SaturatingAdd(MonoTime::min(), Duration(-1)), MonoTime::min());
}

TEST(TimeTest, TheTimeUntilAnInstantStopsAtTheEndsOfDuration) {
  EXPECT_EQ(Until(MonoTime(seconds(1)), MonoTime(seconds(3))), seconds(2));
  EXPECT_EQ(Until(MonoTime(seconds(3)), MonoTime(seconds(1))), seconds(-2));
  EXPECT_EQ(Until(MonoTime(seconds(-1)), kNever - Duration(1)), Duration::max());
  EXPECT_EQ(Until(MonoTime(seconds(1)), MonoTime::min()), Duration::min());
}

TEST(TimeTest, TheTimeUntilNeverIsInfinite) { EXPECT_EQ(Until(MonoTime(seconds(9)), kNever), Duration::max()); }

TEST(TimeTest, MicrosecondsBeyondTheRangeOfDurationStopAtItsEnds) {
  EXPECT_EQ(SaturatingMicros(5), std::chrono::microseconds(5));
  EXPECT_EQ(SaturatingMicros(std::numeric_limits<int64_t>::max()), Duration::max());
  EXPECT_EQ(SaturatingMicros(std::numeric_limits<int64_t>::min()), Duration::min());
}

}  // namespace
}  // namespace anybit
