#include "scheduler/policies/max_batch.h"

#include <chrono>

#include "gtest/gtest.h"
#include "scheduler/testing/snapshot.h"

namespace anybit::scheduler {
namespace {

using std::chrono::microseconds;
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

struct Case {
  Duration head_slack{};
  int waiting = 0;
  PointId point{};
  int rows = 0;
};

TEST(MaxBatchTest, TakesTheMostRowsThenTheMostAccuratePointThatRunsThem) {
  const Case cases[] = {
      {microseconds(2000), 8, kLo, 1},   // lo x 1
      {microseconds(5499), 8, kLo, 7},   // lo x 7; nothing else does 7
      {microseconds(11999), 8, kLo, 8},  // mid x 8 would take 12 ms
      {milliseconds(12), 8, kMid, 8},   {milliseconds(24), 8, kHi, 8},
      {milliseconds(12), 2, kHi, 2},  // no more wait: hi x 2 takes 12 ms
      {milliseconds(11), 2, kMid, 2},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.head_slack.count());
    Snapshot snapshot(ThreePoints());
    snapshot.Add(T(c.head_slack));
    snapshot.AddMany(c.waiting - 1, T(milliseconds(100)));
    const Decision decision = MaxBatch().Decide(snapshot.view());
    ASSERT_EQ(decision.plans.size(), 1u);
    EXPECT_EQ(decision.plans[0].point, c.point);
    EXPECT_EQ(decision.plans[0].count, c.rows);
  }
}

TEST(MaxBatchTest, RefusesOnlyRequestsThatNoAcceptedPointServesInTime) {
  Snapshot snapshot(ThreePoints());
  snapshot.Add(T(microseconds(1999))).Add(T(milliseconds(9)), PointSet::Of(kHi)).Add(T(milliseconds(40)));
  const Decision decision = MaxBatch().Decide(snapshot.view());
  EXPECT_EQ(Ids(snapshot.view(), decision.shed), (IdList{1, 2}));
  EXPECT_EQ(PlannedIds(snapshot.view(), decision), (IdList{3}));
}

TEST(MaxBatchTest, RunsAtAPointThatEveryMemberAccepts) {
  Snapshot snapshot(ThreePoints());
  snapshot.Add(T(milliseconds(90))).Add(T(milliseconds(95)), PointSet::Of(kMid).With(kLo));
  snapshot.Add(T(milliseconds(99)), PointSet::Of(kHi));
  const Decision decision = MaxBatch().Decide(snapshot.view());
  EXPECT_EQ(decision.plans.at(0).point, kMid);
  EXPECT_EQ(PlannedIds(snapshot.view(), decision), (IdList{1, 2}));
}

TEST(MaxBatchTest, ARequestWithoutADeadlineRunsAtTheMostAccuratePoint) {
  Snapshot snapshot(ThreePoints());
  snapshot.Add(kNever, kAnyPoint, 3);
  EXPECT_EQ(MaxBatch().Decide(snapshot.view()).plans.at(0).point, kHi);
}

}  // namespace
}  // namespace anybit::scheduler
