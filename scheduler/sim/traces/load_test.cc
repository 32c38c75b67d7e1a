#include "scheduler/sim/traces/load.h"

#include <chrono>

#include "gtest/gtest.h"
#include "scheduler/testing/snapshot.h"

namespace anybit::scheduler::sim {
namespace {

using scheduler::testing::AffineProfile;
using std::chrono::microseconds;
using std::chrono::milliseconds;

TEST(LoadTest, CapacityIsThatOfTheFastestPointsBestBatchOnAllSlots) {
  Profile profile =
      AffineProfile({{"hi", 0.9, milliseconds(4), milliseconds(1)}, {"lo", 0.7, milliseconds(2), milliseconds(1)}}, 4);
  EXPECT_DOUBLE_EQ(Capacity(profile, 1), 800);  // 4 rows in 5 ms
  EXPECT_DOUBLE_EQ(Capacity(profile, 3), 2400);
  profile.latency[1][3] = milliseconds(50);  // then 3 rows in 4 ms
  EXPECT_DOUBLE_EQ(Capacity(profile, 1), 750);
}

TEST(LoadTest, TheObjectiveIsTwoAndAHalfFullBatchesOfTheMostAccuratePoint) {
  EXPECT_EQ(DefaultObjective(AffineProfile({{"lo", 0.7, milliseconds(1), milliseconds(0)},
                                            {"slow", 0.9, milliseconds(9), milliseconds(1)},
                                            {"hi", 0.9, microseconds(4100), milliseconds(1)}},
                                           4)),
            milliseconds(18));  // 2.5 * 7.1, rounded up
}

}  // namespace
}  // namespace anybit::scheduler::sim
