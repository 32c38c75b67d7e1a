#include "scheduler/policies/deferred.h"

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

Decision DecideAt(std::optional<PointId> point, const Snapshot& snapshot) {
  return Deferred(point, ThreePoints().points).Decide(snapshot.view());
}

// All due at 100 ms.
Snapshot Waiting(int count, Duration now) {
  Snapshot snapshot(ThreePoints());
  snapshot.At(T(now));
  snapshot.AddMany(count, T(milliseconds(100)));
  return snapshot;
}

TEST(DeferredTest, WaitsUntilOneMoreCouldNoLongerJoin) {
  const Decision early = DecideAt(kMid, Waiting(3, milliseconds(0)));
  EXPECT_TRUE(early.plans.empty());
  EXPECT_TRUE(early.shed.empty());
  EXPECT_EQ(early.wake_at, T(milliseconds(92)));  // mid x 4: 8 ms
  EXPECT_TRUE(DecideAt(kMid, Waiting(3, milliseconds(92) - Duration(1))).plans.empty());
}

TEST(DeferredTest, StartsAnywhereInsideTheWindow) {
  for (const Duration now : {Duration(milliseconds(92)), Duration(milliseconds(93))}) {  // mid x 3: 7 ms
    const Decision decision = DecideAt(kMid, Waiting(3, now));
    ASSERT_EQ(decision.plans.size(), 1u);
    EXPECT_EQ(decision.plans[0].count, 3);
  }
}

TEST(DeferredTest, AfterTheWindowRunsTheLongestPrefixStillInTime) {
  EXPECT_EQ(DecideAt(kMid, Waiting(3, milliseconds(93) + Duration(1))).plans.at(0).count, 2);
}

TEST(DeferredTest, AFullBatchStartsAtOnce) {
  EXPECT_EQ(DecideAt(kMid, Waiting(8, milliseconds(0))).plans.at(0).count, 8);
  Snapshot left_over(ThreePoints());
  left_over.Add(T(milliseconds(100)), kAnyPoint, 5).Add(T(milliseconds(100)), kAnyPoint, 5);
  EXPECT_EQ(PlannedIds(left_over.view(), DecideAt(kMid, left_over)), (IdList{1}));
}

TEST(DeferredTest, WithoutAPointTakesTheMostAccurateThatIsInTimeForTheHead) {
  EXPECT_EQ(DecideAt(std::nullopt, Waiting(1, milliseconds(0))).wake_at, T(milliseconds(88)));  // hi x 2: 12 ms
  EXPECT_EQ(DecideAt(std::nullopt, Waiting(1, milliseconds(90))).plans.at(0).point, kHi);
  EXPECT_EQ(DecideAt(std::nullopt, Waiting(1, milliseconds(90) + Duration(1))).wake_at, T(milliseconds(94)));
}

TEST(DeferredTest, RefusesAHeadThatItsPointCannotServeInTime) {
  Snapshot snapshot(ThreePoints());
  snapshot.Add(T(milliseconds(4))).Add(T(milliseconds(5)));
  const Decision decision = DecideAt(kMid, snapshot);
  EXPECT_EQ(Ids(snapshot.view(), decision.shed), (IdList{1}));
  EXPECT_EQ(PlannedIds(snapshot.view(), decision), (IdList{2}));
}

TEST(DeferredTest, ARequestWithoutADeadlineStartsAtOnce) {
  Snapshot snapshot(ThreePoints());
  snapshot.Add(kNever);
  EXPECT_EQ(DecideAt(std::nullopt, snapshot).plans.at(0).point, kHi);
}

TEST(DeferredTest, DoesNotWaitPastItsOwnStartThoughMoreRowsWouldBeFaster) {
  Profile profile = ThreePoints();
  profile.latency[static_cast<size_t>(ToIndex(kLo))][1] = milliseconds(1);  // lo x 1 takes 2 ms
  Snapshot snapshot(profile);
  snapshot.Add(T(milliseconds(100)));
  EXPECT_EQ(DecideAt(kLo, snapshot).wake_at, T(milliseconds(98)));
}

TEST(DeferredTest, ARequestThatExcludesThePointGetsTheMostAccurateThatIsInTime) {
  Snapshot snapshot(ThreePoints());
  snapshot.Add(T(milliseconds(10)), PointSet::Of(kHi).With(kMid));
  EXPECT_EQ(DecideAt(kLo, snapshot).plans.at(0).point, kHi);
}

}  // namespace
}  // namespace anybit::scheduler
