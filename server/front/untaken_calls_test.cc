#include "server/front/untaken_calls.h"

#include <gtest/gtest.h>

namespace anybit::server {
namespace {

using namespace std::chrono_literals;

constexpr int kMost = 8;

class UntakenCallsTest : public ::testing::Test {
 protected:
  int Free() { return calls_.Free(now_, taken_); }
  // Long enough for every call that has passed to be given up, and looked at as often as it takes.
  void WaitInVain() {
    for (int look = 0; look < 2; ++look) {
      now_ += UntakenCalls::kCounts;
      (void)Free();
    }
  }

  UntakenCalls calls_{kMost};
  MonoTime now_{1h};
  int64_t taken_ = 0;
};

TEST_F(UntakenCallsTest, NoMorePassThanMayWait) {
  EXPECT_EQ(Free(), kMost);
  calls_.Pass(5);
  EXPECT_EQ(Free(), kMost - 5);
  calls_.Pass(3);
  EXPECT_EQ(Free(), 0);
}

TEST_F(UntakenCallsTest, EachCallThatIsTakenLetsAnotherPass) {
  calls_.Pass(kMost);
  taken_ = 3;
  EXPECT_EQ(Free(), 3);
  taken_ = kMost;
  EXPECT_EQ(Free(), kMost);
}

TEST_F(UntakenCallsTest, CallsThatAreNotTakenAreGivenUp) {
  (void)Free();
  calls_.Pass(kMost);
  now_ += UntakenCalls::kCounts - 1ns;
  EXPECT_EQ(Free(), 0);
  WaitInVain();
  EXPECT_EQ(Free(), kMost);
  calls_.Pass(kMost);
  EXPECT_EQ(Free(), 0);  // those before no longer count, and these do
  WaitInVain();
  EXPECT_EQ(Free(), kMost);
}

TEST_F(UntakenCallsTest, CallsThatPassLaterAreNotGivenUpWithThoseBefore) {
  calls_.Pass(2);
  WaitInVain();
  calls_.Pass(3);
  EXPECT_EQ(Free(), kMost - 3);
  taken_ = 1;  // of the three, since the two are not waited for
  EXPECT_EQ(Free(), kMost - 2);
}

TEST_F(UntakenCallsTest, CallsThatAreTakenAfterAllCountNoMore) {
  calls_.Pass(kMost);
  WaitInVain();
  taken_ = kMost;
  EXPECT_EQ(Free(), kMost);
  calls_.Pass(kMost);
  EXPECT_EQ(Free(), 0);
}

TEST_F(UntakenCallsTest, ManyCallsThatAreTakenAtOnceAreNeverGivenUp) {
  for (int round = 0; round < 100; ++round) {
    now_ += UntakenCalls::kCounts / 4;
    calls_.Pass(kMost);
    EXPECT_EQ(Free(), 0) << round;
    taken_ += kMost;
    EXPECT_EQ(Free(), kMost) << round;
  }
}

}  // namespace
}  // namespace anybit::server
