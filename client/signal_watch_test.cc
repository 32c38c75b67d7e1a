#include "client/signal_watch.h"

#include <unistd.h>

#include <cstdlib>

#include "client/interruption.h"
#include "gtest/gtest.h"

namespace anybit::client {
namespace {

using Clock = std::chrono::steady_clock;

// Far beyond the end of any test.
const Clock::time_point kNever = Clock::now() + std::chrono::hours(1);

TEST(Interruption, EndsAWaitAndCallsTheListenerOnce) {
  Interruption interruption;
  EXPECT_FALSE(interruption.WaitUntil(Clock::now()));
  int calls = 0;
  const Interruption::Listener listener(interruption, [&] { ++calls; });
  EXPECT_TRUE(interruption.Raise(SIGTERM));
  EXPECT_FALSE(interruption.Raise(SIGINT)) << "only the first counts";
  EXPECT_TRUE(interruption.WaitUntil(kNever));
  EXPECT_EQ(interruption.signal(), SIGTERM);
  EXPECT_EQ(calls, 1);
}

TEST(Interruption, IsIgnoredWithoutAListener) {
  Interruption interruption;
  EXPECT_FALSE(interruption.Raise(SIGINT));
  {
    const Interruption::Listener listener(interruption, [] {});
  }
  EXPECT_FALSE(interruption.Raise(SIGINT));
  EXPECT_EQ(interruption.signal(), 0);
}

TEST(SignalWatch, RaisesTheInterruption) {
  for (const int signal : {SIGINT, SIGTERM}) {
    std::signal(signal, SIG_DFL);
    Interruption interruption;
    const SignalWatch watch(interruption);
    const Interruption::Listener listener(interruption, [] {});
    kill(getpid(), signal);
    EXPECT_TRUE(interruption.WaitUntil(kNever));
    EXPECT_EQ(interruption.signal(), signal);
  }
}

TEST(SignalWatch, LeavesASignalIgnoredThatWasIgnored) {
  std::signal(SIGINT, SIG_IGN);
  std::signal(SIGTERM, SIG_DFL);
  Interruption interruption;
  const SignalWatch watch(interruption);
  const Interruption::Listener listener(interruption, [] {});
  kill(getpid(), SIGINT);
  kill(getpid(), SIGTERM);
  EXPECT_TRUE(interruption.WaitUntil(kNever));
  EXPECT_EQ(interruption.signal(), SIGTERM);
}

TEST(SignalWatchDeathTest, ASignalWithoutAListenerEndsTheProcess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        std::signal(SIGINT, SIG_DFL);
        std::signal(SIGTERM, SIG_DFL);
        Interruption interruption;
        const SignalWatch watch(interruption);
        kill(getpid(), SIGINT);
        for (;;) pause();
      },
      ::testing::KilledBySignal(SIGINT), "");
}

TEST(SignalWatchDeathTest, TheSecondSignalEndsTheProcess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        std::signal(SIGINT, SIG_DFL);
        std::signal(SIGTERM, SIG_DFL);
        Interruption interruption;
        const SignalWatch watch(interruption);
        const Interruption::Listener listener(interruption, [] {});
        kill(getpid(), SIGINT);
        interruption.WaitUntil(kNever);
        kill(getpid(), SIGTERM);
        for (;;) pause();
      },
      ::testing::KilledBySignal(SIGTERM), "");
}

}  // namespace
}  // namespace anybit::client
