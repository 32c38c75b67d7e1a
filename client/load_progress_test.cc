#include "client/load_progress.h"

#include <sstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace anybit::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

CallOutcome Ended(Ending ending, milliseconds latency = milliseconds(0), const std::string& point = "") {
  return {.ending = ending, .latency = latency, .operating_point = point};
}

TEST(LoadProgress, TellsOfTheCallsSinceTheLastLine) {
  const std::vector<LoadStep> steps = {{.calls_per_second = 100, .duration = seconds(10)},
                                       {.calls_per_second = 250.5, .duration = seconds(20)}};
  LoadProgress progress(steps);
  EXPECT_EQ(progress.Tell(seconds(0)), "0 of 30 s  step 1 of 2: 100/s  no call ended");
  progress.Count(Ended(Ending::kAttained, milliseconds(4), "w1a1"));
  progress.Count(Ended(Ending::kAttained, milliseconds(5), "w8a8"));
  progress.Count(Ended(Ending::kLate, milliseconds(60), "w8a8"));
  progress.Count(Ended(Ending::kShed));
  progress.Count(Ended(Ending::kExpired));
  EXPECT_EQ(progress.Tell(seconds(10)),
            "10 of 30 s  step 2 of 2: 250.5/s  in time 40.0 %  late 1  refused 2  p50 5.0 p99 60.0 ms  w8a8 67 % "
            "w1a1 33 %");
  progress.Count(Ended(Ending::kFailed));
  EXPECT_EQ(progress.Tell(seconds(31)), "30 of 30 s  step 2 of 2: 250.5/s  in time 0.0 %  failed 1");
}

TEST(ProgressLine, LeavesAnEmptyLineAndEndsAtOnce) {
  std::ostringstream terminal;
  {
    const ProgressLine line(terminal, [] { return "text"; });
  }
  EXPECT_TRUE(terminal.str().ends_with("\r\x1b[?7l\x1b[K\x1b[?7h"));
}

}  // namespace
}  // namespace anybit::client
