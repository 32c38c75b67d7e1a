#include "server/front/call_limit.h"

#include <gtest/gtest.h>

namespace anybit::server {
namespace {

using namespace std::chrono_literals;

constexpr auto kUrgent = 50ms, kPatient = 10'000ms;

// Answers so many calls a second for 200 ms, with `inside` calls all the time.
void Answer(CallLimit& limit, MonoTime& now, int rate, int inside) {
  const CallLimit::Urgency urgency = CallLimit::UrgencyOf(kUrgent);
  for (int i = 0; i < inside; ++i) limit.Begin(urgency);
  for (int i = 0; i < rate / 5; ++i) {
    limit.End(urgency, true);
    limit.Begin(urgency);
    limit.Advance(now += Duration(1s) / rate);
  }
  for (int i = 0; i < inside; ++i) limit.End(urgency, true);
}

int Allowed(CallLimit& limit, Duration timeout) {
  const CallLimit::Urgency urgency = CallLimit::UrgencyOf(timeout);
  int calls = 0;
  for (; calls < 100'000 && limit.Allows(urgency, timeout); ++calls) limit.Begin(urgency);
  for (int i = 0; i < calls; ++i) limit.End(urgency, false);
  return calls;
}

TEST(CallLimitTest, SoManyAreAlwaysAllowed) {
  CallLimit limit(96);
  EXPECT_EQ(Allowed(limit, 1us), 96);
}

TEST(CallLimitTest, MoreAreAllowedIfTheyAreAnsweredWithinHalfOfTheirTime) {
  CallLimit limit(96);
  MonoTime now{};
  limit.Advance(now);
  Answer(limit, now, 8000, 50);
  EXPECT_NEAR(Allowed(limit, 50ms), 200, 20);
  EXPECT_NEAR(Allowed(limit, 500ms), 2000, 200);
}

TEST(CallLimitTest, CallsWithSecondsWaitForANetworkThatHasNotAnsweredYet) {
  CallLimit limit(96);
  EXPECT_EQ(Allowed(limit, 10s), 5000);
}

TEST(CallLimitTest, WhatEndsUnansweredDoesNotRaiseTheRate) {
  CallLimit limit(1);
  MonoTime now{};
  limit.Advance(now);
  const CallLimit::Urgency urgency = CallLimit::UrgencyOf(kUrgent);
  limit.Begin(urgency);
  for (int i = 0; i < 1000; ++i) {
    limit.End(urgency, false);
    limit.Begin(urgency);
    limit.Advance(now += 10us);
  }
  limit.End(urgency, false);
  EXPECT_EQ(Allowed(limit, kUrgent), 25);  // at the rate that is always assumed
}

TEST(CallLimitTest, PatientCallsDoNotStandInTheWayOfUrgentOnes) {
  CallLimit limit(96);
  for (int i = 0; i < 1000; ++i) limit.Begin(CallLimit::UrgencyOf(kPatient));
  for (int i = 0; i < 1000; ++i) limit.Begin(CallLimit::UrgencyOf(Duration::max()));
  EXPECT_EQ(Allowed(limit, kUrgent), 96);
  for (int i = 0; i < 96; ++i) limit.Begin(CallLimit::UrgencyOf(kUrgent));
  EXPECT_FALSE(limit.Allows(CallLimit::UrgencyOf(kUrgent), kUrgent));
}

TEST(CallLimitTest, RemembersThatACallCouldNotPass) {
  CallLimit limit(1);
  EXPECT_FALSE(limit.was_reached());
  Allowed(limit, 1us);
  EXPECT_TRUE(limit.was_reached());
  limit.Reset();
  EXPECT_FALSE(limit.was_reached());
  EXPECT_EQ(limit.inside(), 0);
}

TEST(CallLimitTest, NobodyLooksAwayWhileAllCallsPass) {
  CallLimit limit(1);
  EXPECT_EQ(limit.Pause(), Duration::zero());
  Allowed(limit, kUrgent);
  EXPECT_GT(limit.Pause(), Duration(kUrgent) / 32);
  EXPECT_LE(limit.Pause(), Duration(kUrgent) / 16);
  limit.Reset();
  EXPECT_EQ(limit.Pause(), Duration::zero());
}

TEST(CallLimitTest, ThePauseIsAPartOfTheTimeThatIsLeftToACall) {
  CallLimit limit(1);
  for (int i = 0; i < 100; ++i) limit.Begin(CallLimit::UrgencyOf(kUrgent));
  EXPECT_FALSE(limit.Allows(CallLimit::UrgencyOf(kUrgent), 800us));
  EXPECT_EQ(limit.Pause(), 50us);
  EXPECT_FALSE(limit.Allows(CallLimit::UrgencyOf(kUrgent), -800us));
  EXPECT_EQ(limit.Pause(), Duration::zero());
}

TEST(CallLimitTest, AnUrgentCallKeepsPausesShortForMoreLikeIt) {
  CallLimit limit(1);
  MonoTime now{};
  limit.Advance(now);
  EXPECT_TRUE(limit.Allows(CallLimit::UrgencyOf(2ms), 2ms));
  for (int i = 0; i < 100; ++i) limit.Begin(CallLimit::UrgencyOf(kUrgent));
  EXPECT_FALSE(limit.Allows(CallLimit::UrgencyOf(kUrgent), kUrgent));
  EXPECT_GT(limit.Pause(), 50us);
  EXPECT_LE(limit.Pause(), Duration(2ms) / 16);
  limit.Advance(now += 1s);
  EXPECT_LE(limit.Pause(), Duration(2ms) / 16);
  limit.Advance(now += 1s);
  EXPECT_GT(limit.Pause(), 1ms) << "they are forgotten";
}

TEST(CallLimitTest, PatientCallsDoNotMakeThePauseLong) {
  CallLimit limit(0);
  Allowed(limit, kPatient);
  EXPECT_EQ(limit.Pause(), 4ms);
}

}  // namespace
}  // namespace anybit::server
