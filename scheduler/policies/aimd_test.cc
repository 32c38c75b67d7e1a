#include "scheduler/policies/aimd.h"

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
  return Aimd(point, ThreePoints().points).Decide(snapshot.view());
}

Snapshot NineWaiting(double aimd_rows, Duration head_slack = milliseconds(100)) {
  Snapshot snapshot(ThreePoints());
  snapshot.Add(T(head_slack));
  snapshot.AddMany(8, T(milliseconds(100)));
  snapshot.aimd_rows = aimd_rows;
  return snapshot;
}

TEST(AimdTest, RunsAtTheGivenPointOrTheMostAccurate) {
  const Snapshot snapshot = NineWaiting(1);
  EXPECT_EQ(DecideAt(kMid, snapshot).plans.at(0).point, kMid);
  EXPECT_EQ(DecideAt(std::nullopt, snapshot).plans.at(0).point, kHi);
}

TEST(AimdTest, TheBatchIsWholeRowsOfTheLimit) {
  EXPECT_EQ(DecideAt(kLo, NineWaiting(1)).plans.at(0).count, 1);
  EXPECT_EQ(DecideAt(kLo, NineWaiting(4.9)).plans.at(0).count, 4);
  EXPECT_EQ(DecideAt(kLo, NineWaiting(0)).plans.at(0).count, 1) << "at least one row";
  EXPECT_EQ(DecideAt(kLo, NineWaiting(1000)).plans.at(0).count, 8) << "at most the largest batch";
}

TEST(AimdTest, TheHeadsSlackCutsTheBatchBelowTheLimit) {
  EXPECT_EQ(DecideAt(kLo, NineWaiting(8, milliseconds(3))).plans.at(0).count, 3);
}

TEST(AimdTest, RefusesAHeadThatItsPointCannotServeInTime) {
  const Snapshot snapshot = NineWaiting(2, milliseconds(9));
  const Decision decision = DecideAt(kHi, snapshot);
  EXPECT_EQ(Ids(snapshot.view(), decision.shed), (IdList{1}));
  EXPECT_EQ(PlannedIds(snapshot.view(), decision), (IdList{2, 3}));
}

TEST(AimdTest, ARequestOfMoreRowsThanTheLimitRunsAlone) {
  Snapshot snapshot(ThreePoints());
  snapshot.Add(T(milliseconds(50)), kAnyPoint, 5).Add(T(milliseconds(60)));
  snapshot.aimd_rows = 2;
  EXPECT_EQ(PlannedIds(snapshot.view(), DecideAt(kLo, snapshot)), (IdList{1}));
}

TEST(AimdTest, RunsARequestThatExcludesItsPointAtTheMostAccurateAcceptedOne) {
  Snapshot snapshot(ThreePoints());
  snapshot.Add(T(milliseconds(50)), PointSet::Of(kHi).With(kMid));
  EXPECT_EQ(DecideAt(kLo, snapshot).plans.at(0).point, kHi);
}

}  // namespace
}  // namespace anybit::scheduler
