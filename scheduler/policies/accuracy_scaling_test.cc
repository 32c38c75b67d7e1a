#include "scheduler/policies/accuracy_scaling.h"

#include <chrono>

#include "gtest/gtest.h"
#include "scheduler/testing/snapshot.h"

namespace anybit::scheduler {
namespace {

using std::chrono::milliseconds;
using testing::IdList;
using testing::Ids;
using testing::kAnyPoint;
using testing::kHi;
using testing::kLo;
using testing::kMid;
using testing::PlannedIds;
using testing::Snapshot;
using testing::T;
using testing::ThreePoints;

Decision Decide(const Snapshot& snapshot) { return AccuracyScaling().Decide(snapshot.view()); }

// All due at 100 ms. At their best, 8 rows, hi carries 333 rows per second, mid 667, lo 1455.
Snapshot Waiting(int count, double rows_per_second, Duration now = {}, int slots = 1) {
  Snapshot snapshot(ThreePoints(), slots);
  snapshot.At(T(now));
  snapshot.AddMany(count, T(milliseconds(100)));
  snapshot.arrivals.objective = std::chrono::seconds(1);
  snapshot.arrivals.slow = rows_per_second;  // per objective
  return snapshot;
}

TEST(AccuracyScalingTest, TakesTheMostAccuratePointThatCarriesTheDemand) {
  EXPECT_EQ(Decide(Waiting(8, 0)).plans.at(0).point, kHi);
  EXPECT_EQ(Decide(Waiting(8, 333)).plans.at(0).point, kHi);
  EXPECT_EQ(Decide(Waiting(8, 334)).plans.at(0).point, kMid);
  EXPECT_EQ(Decide(Waiting(8, 667)).plans.at(0).point, kLo);
  EXPECT_EQ(Decide(Waiting(8, 5000)).plans.at(0).point, kLo) << "none carries it: the one that carries most";
}

TEST(AccuracyScalingTest, AllSlotsTogetherCarryTheDemand) {
  EXPECT_EQ(Decide(Waiting(8, 600, {}, 2)).plans.at(0).point, kHi);
  Snapshot one_busy = Waiting(8, 600, {}, 2);
  one_busy.Occupy(1, T(milliseconds(5)));
  EXPECT_EQ(Decide(one_busy).plans.at(0).point, kHi) << "a busy slot carries, too";
}

TEST(AccuracyScalingTest, TheHeadsFloorChoosesAmongItsOwnPoints) {
  Snapshot snapshot = Waiting(0, 5000);
  snapshot.Add(T(milliseconds(5)), PointSet::Of(kHi).With(kMid));
  EXPECT_EQ(Decide(snapshot).plans.at(0).point, kMid);
}

TEST(AccuracyScalingTest, WaitsForAFullBatchUntilTheHeadMustStart) {
  const Decision early = Decide(Waiting(3, 0));
  EXPECT_TRUE(early.plans.empty());
  EXPECT_TRUE(early.shed.empty());
  EXPECT_EQ(early.wake_at, T(milliseconds(86)));  // hi x 3: 14 ms
  EXPECT_EQ(Decide(Waiting(3, 0, milliseconds(86))).plans.at(0).count, 3);
}

TEST(AccuracyScalingTest, ABatchThatIsAsLargeAsTheSlackAllowsStartsAtOnce) {
  EXPECT_TRUE(Decide(Waiting(3, 0, milliseconds(84))).plans.empty());  // hi x 4: 16 ms
  EXPECT_EQ(Decide(Waiting(3, 0, milliseconds(85))).plans.at(0).count, 3);
  EXPECT_EQ(Decide(Waiting(9, 0)).plans.at(0).count, 8);
}

TEST(AccuracyScalingTest, DoesNotWaitWhileARequestIsLeftOver) {
  Snapshot snapshot(ThreePoints());
  snapshot.Add(T(milliseconds(100)), kAnyPoint, 5).Add(T(milliseconds(100)), kAnyPoint, 5);
  EXPECT_EQ(PlannedIds(snapshot.view(), Decide(snapshot)), (IdList{1}));
}

TEST(AccuracyScalingTest, ServesAHeadAtAFasterPointWhereThatOfTheDemandIsTooSlowForIt) {
  Snapshot snapshot(ThreePoints());
  snapshot.Add(T(milliseconds(9)));  // hi: 10 ms
  snapshot.At(T(milliseconds(4)));   // mid: 5 ms
  const Decision decision = Decide(snapshot);
  EXPECT_EQ(PlannedIds(snapshot.view(), decision), (IdList{1}));
  EXPECT_EQ(decision.plans.at(0).point, kMid);
}

TEST(AccuracyScalingTest, RefusesAHeadThatNoPointCanServeInTime) {
  Snapshot snapshot(ThreePoints());
  snapshot.Add(T(milliseconds(1))).Add(T(milliseconds(10)));
  EXPECT_EQ(Ids(snapshot.view(), Decide(snapshot).shed), (IdList{1}));
}

TEST(AccuracyScalingTest, ARequestWithoutADeadlineStartsAtOnce) {
  Snapshot snapshot(ThreePoints());
  snapshot.Add(kNever);
  EXPECT_EQ(Decide(snapshot).plans.at(0).count, 1);
}

}  // namespace
}  // namespace anybit::scheduler
