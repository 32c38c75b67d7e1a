#include "server/thread_clock.h"

#include <chrono>
#include <thread>

#include <gtest/gtest.h>

namespace anybit::server {
namespace {

// Until the thread has computed for so long.
void Compute(Duration time) {
  const ThreadClock clock;
  const MonoTime end = clock.Now() + time;
  while (clock.Now() < end) {
  }
}

TEST(ThreadClockTest, GoesOnWhileItsThreadComputes) {
  const ThreadClock clock;
  const MonoTime start = clock.Now();
  Compute(std::chrono::milliseconds(1));
  EXPECT_GE(clock.Now() - start, std::chrono::milliseconds(1));
}

TEST(ThreadClockTest, StandsWhileAnotherThreadComputes) {
  const ThreadClock clock;
  const MonoTime start = clock.Now();
  std::thread([] { Compute(std::chrono::milliseconds(100)); }).join();
  EXPECT_LT(clock.Now() - start, std::chrono::milliseconds(100));
}

}  // namespace
}  // namespace anybit::server
