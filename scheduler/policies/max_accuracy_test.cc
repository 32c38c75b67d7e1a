#include "scheduler/policies/max_accuracy.h"

#include <chrono>

#include "gtest/gtest.h"
#include "scheduler/testing/snapshot.h"

namespace anybit::scheduler {
namespace {

using std::chrono::microseconds;
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

struct Case {
  Duration head_slack{};
  PointId point{};
  int rows = 0;
};

TEST(MaxAccuracyTest, TakesTheMostAccuratePointForTheHeadThenTheMostRows) {
  const Case cases[] = {
      {milliseconds(10), kHi, 1},   {milliseconds(14), kHi, 3}, {milliseconds(10) - Duration(1), kMid, 5},
      {microseconds(4999), kLo, 6}, {milliseconds(90), kHi, 8},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.head_slack.count());
    Snapshot snapshot(ThreePoints());
    snapshot.Add(T(c.head_slack));
    snapshot.AddMany(8, T(milliseconds(100)));
    const Decision decision = MaxAccuracy().Decide(snapshot.view());
    ASSERT_EQ(decision.plans.size(), 1u);
    EXPECT_EQ(decision.plans[0].point, c.point);
    EXPECT_EQ(decision.plans[0].count, c.rows);
  }
}

TEST(MaxAccuracyTest, RefusesOnlyRequestsThatNoAcceptedPointServesInTime) {
  Snapshot snapshot(ThreePoints());
  snapshot.Add(T(microseconds(1999))).Add(T(milliseconds(9)), PointSet::Of(kHi)).Add(T(milliseconds(9)));
  const Decision decision = MaxAccuracy().Decide(snapshot.view());
  EXPECT_EQ(Ids(snapshot.view(), decision.shed), (IdList{1, 2}));
  EXPECT_EQ(PlannedIds(snapshot.view(), decision), (IdList{3}));
}

}  // namespace
}  // namespace anybit::scheduler
