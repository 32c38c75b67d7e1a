#include "base/signal_name.h"

#include <csignal>

#include <gtest/gtest.h>

namespace anybit {
namespace {

TEST(SignalName, IsTheNameOfTheSignalOrItsNumber) {
  EXPECT_EQ(SignalName(SIGINT), "SIGINT");
  EXPECT_EQ(SignalName(SIGTERM), "SIGTERM");
  EXPECT_EQ(SignalName(SIGHUP), "SIGHUP");
  EXPECT_EQ(SignalName(0), "signal 0");
  EXPECT_EQ(SignalName(1000), "signal 1000");
}

}  // namespace
}  // namespace anybit
