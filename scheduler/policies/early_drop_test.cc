#include "scheduler/policies/early_drop.h"

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
  return EarlyDrop(point, ThreePoints().points).Decide(snapshot.view());
}

Snapshot Waiting(int count, Duration objective, Duration slack = milliseconds(100)) {
  Snapshot snapshot(ThreePoints());
  snapshot.AddMany(count, T(slack));
  snapshot.arrivals.objective = objective;
  return snapshot;
}

TEST(EarlyDropTest, RunsAtTheGivenPointOrTheOneWithTheMostRowsPerSecond) {
  const Snapshot snapshot = Waiting(1, milliseconds(100));
  EXPECT_EQ(DecideAt(kMid, snapshot).plans.at(0).point, kMid);
  EXPECT_EQ(DecideAt(std::nullopt, snapshot).plans.at(0).point, kLo);
}

TEST(EarlyDropTest, TheBatchIsTheMostRowsInHalfTheObjective) {
  EXPECT_EQ(DecideAt(kMid, Waiting(9, milliseconds(24))).plans.at(0).count, 8);  // mid x 8: 12 ms
  EXPECT_EQ(DecideAt(kMid, Waiting(9, milliseconds(24) - Duration(2))).plans.at(0).count, 7);
  EXPECT_EQ(DecideAt(kMid, Waiting(9, milliseconds(14))).plans.at(0).count, 3);
  EXPECT_EQ(DecideAt(kMid, Waiting(9, milliseconds(9))).plans.at(0).count, 1) << "at least one";
}

TEST(EarlyDropTest, WithoutAKnownObjectiveTheHeadsOwnCounts) {
  EXPECT_EQ(DecideAt(kMid, Waiting(9, Duration(), milliseconds(14))).plans.at(0).count, 3);
}

TEST(EarlyDropTest, RunsFewerAtOnceWhenFewerWait) {
  const Decision decision = DecideAt(kMid, Waiting(2, milliseconds(24)));
  EXPECT_EQ(decision.plans.at(0).count, 2);
  EXPECT_EQ(decision.wake_at, kNever);
}

TEST(EarlyDropTest, RefusesHeadsThatWouldBeLateWithTheirWholeWindow) {
  Snapshot snapshot(ThreePoints());
  snapshot.Add(T(milliseconds(5))).Add(T(milliseconds(7)));
  snapshot.AddMany(3, T(milliseconds(8)));
  snapshot.arrivals.objective = milliseconds(16);  // mid x 4: 8 ms
  const Decision decision = DecideAt(kMid, snapshot);
  // 4 from the first on, and from the second on, would take 8 ms; the last three take 7 ms.
  EXPECT_EQ(Ids(snapshot.view(), decision.shed), (IdList{1, 2}));
  EXPECT_EQ(PlannedIds(snapshot.view(), decision), (IdList{3, 4, 5}));
}

TEST(EarlyDropTest, ALateHeadOfAShortQueueIsJudgedByTheWaitingRequests) {
  Snapshot snapshot(ThreePoints());
  snapshot.Add(T(milliseconds(6))).Add(T(milliseconds(8)));
  snapshot.arrivals.objective = milliseconds(24);  // the size is 8, but mid x 2 takes 6 ms
  EXPECT_EQ(PlannedIds(snapshot.view(), DecideAt(kMid, snapshot)), (IdList{1, 2}));
}

TEST(EarlyDropTest, ARequestOfMoreRowsThanTheSizeRunsAlone) {
  Snapshot snapshot(ThreePoints());
  snapshot.Add(T(milliseconds(50)), kAnyPoint, 5).Add(T(milliseconds(60)));
  snapshot.arrivals.objective = milliseconds(14);
  EXPECT_EQ(PlannedIds(snapshot.view(), DecideAt(kMid, snapshot)), (IdList{1}));
}

TEST(EarlyDropTest, ARequestThatExcludesThePointGetsTheOneWithTheMostRowsPerSecondThatItAccepts) {
  Snapshot snapshot(ThreePoints());
  snapshot.Add(T(milliseconds(50)), PointSet::Of(kHi).With(kMid));
  EXPECT_EQ(DecideAt(kLo, snapshot).plans.at(0).point, kMid);
  EXPECT_EQ(DecideAt(std::nullopt, snapshot).plans.at(0).point, kMid);
}

}  // namespace
}  // namespace anybit::scheduler
