#include "scheduler/policies/head_alone.h"

#include <chrono>

#include "gtest/gtest.h"
#include "scheduler/testing/snapshot.h"

namespace anybit::scheduler {
namespace {

using std::chrono::milliseconds;
using testing::IdList;
using testing::Ids;
using testing::kHi;
using testing::kMid;
using testing::PlannedIds;
using testing::Snapshot;
using testing::T;
using testing::ThreePoints;

TEST(HeadAloneTest, RunsOneRequestPerIdleSlotAtTheMostAccuratePointInTime) {
  Snapshot snapshot(ThreePoints(), 2);
  snapshot.Add(T(milliseconds(1))).Add(T(milliseconds(5))).Add(T(milliseconds(10))).Add(T(milliseconds(20)));
  const Decision decision = HeadAlone().Decide(snapshot.view());
  EXPECT_EQ(Ids(snapshot.view(), decision.shed), (IdList{1}));
  ASSERT_EQ(decision.plans.size(), 2u);
  EXPECT_EQ(decision.plans[0].point, kMid);
  EXPECT_EQ(PlannedIds(snapshot.view(), decision), (IdList{2}));
  EXPECT_EQ(decision.plans[1].point, kHi);
  EXPECT_EQ(PlannedIds(snapshot.view(), decision, 1), (IdList{3}));
}

}  // namespace
}  // namespace anybit::scheduler
