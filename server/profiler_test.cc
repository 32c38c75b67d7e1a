#include "server/profiler.h"

#include <algorithm>
#include <chrono>
#include <stop_token>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/testing/manual_clock.h"
#include "server/testing/sum_network.h"

namespace anybit::server {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using ::testing::HasSubstr;
using testing::ManualClock;
using testing::SumNetwork;

// 1 ms and 200 us for each row; half of that at point w1a1.
Duration Cost(int point, int rows) {
  const Duration cost = milliseconds(1) + microseconds(200) * rows;
  return point == SumNetwork::kW1a1 ? cost / 2 : cost;
}

class ProfilerTest : public ::testing::Test {
 protected:
  ManualClock clock_;
  std::vector<std::pair<int, int>> runs_;  // point, rows
  const SumNetwork network_{[this](int point, int rows) {
    runs_.emplace_back(point, rows);
    clock_.Advance(Cost(point, rows));
    return absl::OkStatus();
  }};
};

TEST_F(ProfilerTest, EveryPointAndBatchSizeHasItsLatency) {
  const auto profile = MeasureProfile(network_, clock_, {.max_batch = 12});
  ASSERT_TRUE(profile.ok()) << profile.status();
  EXPECT_EQ(profile->max_batch, 12);
  ASSERT_EQ(profile->points.size(), 4u);
  EXPECT_EQ(profile->points[SumNetwork::kW4a4f].name, "w4a4f");
  EXPECT_EQ(profile->points[SumNetwork::kW4a4f].accuracy, 0.9);
  for (int point = 0; point < 4; ++point) {
    // The cost is linear, so the interpolated sizes are exact too, but for rounding.
    for (int rows = 1; rows <= 12; ++rows) {
      EXPECT_NEAR(profile->At(ToPointId(point), rows).count(), Cost(point, rows).count(), 2) << point << " " << rows;
    }
  }
}

// At rest a run takes 300 us more, and 20 us for each row.
TEST_F(ProfilerTest, ARunAfterAPauseHasALatencyOfItsOwn) {
  bool rested = false;
  const SumNetwork network([&](int point, int rows) {
    clock_.Advance(Cost(point, rows) + (rested ? microseconds(300) + microseconds(20) * rows : Duration::zero()));
    rested = false;
    return absl::OkStatus();
  });
  Duration paused{};
  const auto pause = [&](Duration time) {
    rested = time >= scheduler::kRest;
    paused += time;
    clock_.Advance(time);
  };
  const auto profile = MeasureProfile(network, clock_, {.max_batch = 12, .pause = pause});
  ASSERT_TRUE(profile.ok()) << profile.status();
  for (int point = 0; point < 4; ++point) {
    for (int rows = 1; rows <= 12; ++rows) {
      const Duration more = profile->At(ToPointId(point), rows, true) - profile->At(ToPointId(point), rows);
      EXPECT_NEAR(more.count(), 300'000 + 20'000 * std::min(rows, 8), 2) << point << " " << rows;
    }
  }
  EXPECT_LE(paused, milliseconds(300)) << "starting takes longer by them";
}

TEST_F(ProfilerTest, LongRunsAreNotRepeatedAtRest) {
  int long_runs = 0;
  bool rested = false;
  const SumNetwork network([&](int, int rows) {
    clock_.Advance(milliseconds(15) * rows);
    long_runs += rested && rows > 1;
    rested = false;
    return absl::OkStatus();
  });
  const auto pause = [&](Duration) { rested = true; };
  const auto profile = MeasureProfile(network, clock_, {.max_batch = 4, .pause = pause});
  ASSERT_TRUE(profile.ok()) << profile.status();
  EXPECT_EQ(long_runs, 0);
  EXPECT_EQ(profile->At(ToPointId(0), 4, true), profile->At(ToPointId(0), 4));
}

TEST_F(ProfilerTest, WithoutPausesOnlyBusyLatenciesAreMeasured) {
  const auto profile = MeasureProfile(network_, clock_, {.max_batch = 4});
  ASSERT_TRUE(profile.ok());
  EXPECT_TRUE(profile->rested.empty());
  EXPECT_EQ(profile->At(ToPointId(0), 4, true), profile->At(ToPointId(0), 4));
}

TEST_F(ProfilerTest, SizesArePowersOfTwoAndTheLargest) {
  ASSERT_TRUE(MeasureProfile(network_, clock_, {.max_batch = 12}).ok());
  for (const auto& [point, rows] : runs_) {
    EXPECT_TRUE(rows == 1 || rows == 2 || rows == 4 || rows == 8 || rows == 12) << rows;
  }
}

TEST_F(ProfilerTest, TheBudgetHoldsUpToTwoRunsOfEachPoint) {
  const Duration budget = milliseconds(100);
  ASSERT_TRUE(MeasureProfile(network_, clock_, {.max_batch = 64, .budget = budget}).ok());
  EXPECT_LE(clock_.Now() - MonoTime(), budget + 8 * Cost(0, 1));
}

TEST_F(ProfilerTest, ASizeThatWouldOverrunTheBudgetIsTakenToCostWhatItsRowsCostBefore) {
  // A share of 5.2 ms: 1 row (1.2) and 2 rows (1.4, foreseen as 2.4), but not 4 rows (foreseen as 2.8).
  const auto profile =
      MeasureProfile(network_, clock_, {.max_batch = 64, .budget = 4 * microseconds(5200), .repetitions = 1});
  ASSERT_TRUE(profile.ok());
  EXPECT_FALSE(std::count(runs_.begin(), runs_.end(), std::pair(0, 4)));
  EXPECT_EQ(profile->At(ToPointId(0), 2), Cost(0, 2));
  EXPECT_EQ(profile->At(ToPointId(0), 64), 32 * Cost(0, 2));
}

TEST_F(ProfilerTest, EvenNoBudgetAtAllCountsOneRunOfEachPoint) {
  const auto profile = MeasureProfile(network_, clock_, {.max_batch = 8, .budget = Duration::zero()});
  ASSERT_TRUE(profile.ok()) << profile.status();
  EXPECT_EQ(runs_.size(), 8u);
  EXPECT_EQ(profile->At(ToPointId(0), 8), 8 * Cost(0, 1));
}

TEST_F(ProfilerTest, EachPointCanBeRunOnce) {
  ASSERT_TRUE(RunEachPointOnce(network_, clock_).ok());
  EXPECT_THAT(runs_, ::testing::ElementsAre(std::pair(0, 1), std::pair(1, 1), std::pair(2, 1), std::pair(3, 1)));
}

TEST_F(ProfilerTest, OnceItIsToStopNothingRuns) {
  std::stop_source stop;
  const SumNetwork network([&](int point, int rows) {
    runs_.emplace_back(point, rows);
    clock_.Advance(Cost(point, rows));
    if (runs_.size() == 3) stop.request_stop();
    return absl::OkStatus();
  });
  const ProfilerOptions options{.max_batch = 8, .stop = stop.get_token()};
  EXPECT_EQ(MeasureProfile(network, clock_, options).status(), absl::CancelledError("profiling was stopped"));
  EXPECT_EQ(RunEachPointOnce(network, clock_, stop.get_token()), absl::CancelledError("profiling was stopped"));
  EXPECT_EQ(runs_.size(), 3u);
}

TEST(ProfilerFirstRunTest, APointThatFirstPacksItsWeightsForLongerThanTheBudgetIsStillMeasured) {
  ManualClock clock;
  std::vector<bool> packed(4);
  const SumNetwork network([&](int point, int rows) {
    clock.Advance(packed[point] ? milliseconds(rows) : std::chrono::seconds(9));
    packed[point] = true;
    return absl::OkStatus();
  });
  const auto profile = MeasureProfile(network, clock, {.max_batch = 4, .budget = std::chrono::seconds(1)});
  ASSERT_TRUE(profile.ok()) << profile.status();
  for (int point = 0; point < 4; ++point) {
    for (int rows = 1; rows <= 4; ++rows) EXPECT_EQ(profile->At(ToPointId(point), rows), milliseconds(rows));
  }
}

TEST(ProfilerNoiseTest, OneSlowRunDoesNotMoveTheMedian) {
  ManualClock clock;
  int run = 0;
  const SumNetwork network([&](int, int) {
    clock.Advance(++run % 9 == 3 ? milliseconds(500) : milliseconds(1));
    return absl::OkStatus();
  });
  const auto profile = MeasureProfile(network, clock, {.max_batch = 1, .budget = std::chrono::hours(1)});
  ASSERT_TRUE(profile.ok());
  for (int point = 0; point < 4; ++point) EXPECT_EQ(profile->At(ToPointId(point), 1), milliseconds(1));
}

// Slower by half from the middle of the profiling on (the fourth of nine rounds): no point may look slower for that.
TEST(ProfilerNoiseTest, AMachineThatSlowsDownSlowsAllPointsAlike) {
  ManualClock clock;
  const SumNetwork network([&](int, int rows) {
    clock.Advance(clock.Now() < MonoTime(milliseconds(128)) ? milliseconds(rows) : milliseconds(rows) * 3 / 2);
    return absl::OkStatus();
  });
  const auto profile = MeasureProfile(network, clock, {.max_batch = 4, .budget = std::chrono::hours(1)});
  ASSERT_TRUE(profile.ok());
  for (int point = 1; point < 4; ++point) EXPECT_EQ(profile->At(ToPointId(point), 4), profile->At(ToPointId(0), 4));
}

TEST(ProfilerFailureTest, AFailingPointIsNamed) {
  ManualClock clock;
  const SumNetwork network([](int point, int) {
    return point == SumNetwork::kW4a4f ? absl::InternalError("no such kernel") : absl::OkStatus();
  });
  const auto profile = MeasureProfile(network, clock, {.max_batch = 2});
  EXPECT_EQ(profile.status().code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(profile.status().message()), HasSubstr("w4a4f"));
  EXPECT_THAT(std::string(profile.status().message()), HasSubstr("no such kernel"));
  EXPECT_THAT(std::string(RunEachPointOnce(network, clock).message()), HasSubstr("w4a4f"));
}

}  // namespace
}  // namespace anybit::server
