#include "scheduler/policies/fixed.h"

#include <chrono>

#include "gtest/gtest.h"
#include "scheduler/testing/snapshot.h"

namespace anybit::scheduler {
namespace {

using std::chrono::milliseconds;
using testing::IdList;
using testing::Ids;
using testing::kHi;
using testing::kLo;
using testing::kMid;
using testing::PlannedIds;
using testing::Snapshot;
using testing::T;
using testing::ThreePoints;

Decision DecideAt(PointId point, const Snapshot& snapshot) {
  return Fixed(point, ThreePoints().points).Decide(snapshot.view());
}

TEST(FixedTest, IsNamedAfterItsPoint) { EXPECT_EQ(Fixed(kMid, ThreePoints().points).name(), "fixed:mid"); }

TEST(FixedTest, RunsTheLargestBatchThatTheHeadsSlackAllows) {
  Snapshot snapshot(ThreePoints());
  snapshot.Add(T(milliseconds(7)));
  snapshot.AddMany(7, T(milliseconds(90)));
  const Decision decision = DecideAt(kMid, snapshot);
  ASSERT_EQ(decision.plans.size(), 1u);
  EXPECT_EQ(decision.plans[0].point, kMid);
  EXPECT_EQ(PlannedIds(snapshot.view(), decision), (IdList{1, 2, 3}));
}

TEST(FixedTest, RefusesAHeadThatItsPointCannotServeInTime) {
  Snapshot snapshot(ThreePoints());
  snapshot.Add(T(milliseconds(9))).Add(T(milliseconds(10)));
  const Decision decision = DecideAt(kHi, snapshot);
  EXPECT_EQ(Ids(snapshot.view(), decision.shed), (IdList{1}));
  EXPECT_EQ(PlannedIds(snapshot.view(), decision), (IdList{2}));
}

TEST(FixedTest, RunsARequestThatExcludesItsPointAtTheMostAccurateAcceptedOne) {
  Snapshot snapshot(ThreePoints());
  snapshot.Add(T(milliseconds(40)), PointSet::Of(kHi).With(kMid)).Add(T(milliseconds(50)), PointSet::Of(kLo));
  const Decision decision = DecideAt(kLo, snapshot);
  EXPECT_EQ(decision.plans.at(0).point, kHi);
  EXPECT_EQ(PlannedIds(snapshot.view(), decision), (IdList{1}));
}

TEST(FixedTest, FewerRowsThatTakeLongerAreNotRunLate) {
  Profile profile = ThreePoints();
  profile.latency[ToIndex(kMid)] = std::vector<Duration>(8, milliseconds(30));
  profile.latency[ToIndex(kMid)][0] = milliseconds(10);
  profile.latency[ToIndex(kMid)][7] = milliseconds(12);
  Snapshot snapshot(profile);
  snapshot.AddMany(5, T(milliseconds(20)));
  EXPECT_EQ(PlannedIds(snapshot.view(), DecideAt(kMid, snapshot)), (IdList{1}));
}

}  // namespace
}  // namespace anybit::scheduler
