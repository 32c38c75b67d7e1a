#include "scheduler/policies/cheapest.h"

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

TEST(CheapestTest, RunsTheLargestBatchInTimeAtTheLeastAccuratePointHoweverMuchTimeThereIs) {
  Snapshot ample(ThreePoints());
  ample.Add(T(milliseconds(500)));
  EXPECT_EQ(Cheapest().Decide(ample.view()).plans.at(0).point, kLo);
  Snapshot tight(ThreePoints());
  tight.Add(T(milliseconds(3)));  // lo x 3
  tight.AddMany(7, T(milliseconds(90)));
  EXPECT_EQ(PlannedIds(tight.view(), Cheapest().Decide(tight.view())), (IdList{1, 2, 3}));
}

TEST(CheapestTest, TheHeadsFloorLeavesItTheLeastAccurateOfItsOwn) {
  Snapshot snapshot(ThreePoints());
  snapshot.Add(T(milliseconds(50)), PointSet::Of(kHi).With(kMid)).Add(T(milliseconds(60)), PointSet::Of(kLo));
  const Decision decision = Cheapest().Decide(snapshot.view());
  EXPECT_EQ(decision.plans.at(0).point, kMid);
  EXPECT_EQ(PlannedIds(snapshot.view(), decision), (IdList{1}));
}

TEST(CheapestTest, RefusesAHeadThatItsPointCannotServeInTimeEvenIfAnotherCould) {
  Profile profile = ThreePoints();
  profile.points[static_cast<size_t>(ToIndex(kHi))].accuracy = 0.1;  // slow, and the least accurate
  Snapshot snapshot(profile);
  snapshot.Add(T(milliseconds(10) - Duration(1))).Add(T(milliseconds(10)));
  const Decision decision = Cheapest().Decide(snapshot.view());
  EXPECT_EQ(Ids(snapshot.view(), decision.shed), (IdList{1}));
  EXPECT_EQ(decision.plans.at(0).point, kHi);
}

TEST(CheapestTest, OfEquallyAccuratePointsTakesTheFaster) {
  Profile profile = ThreePoints();
  for (PointInfo& point : profile.points) point.accuracy = 0.5;
  Snapshot snapshot(profile);
  snapshot.Add(T(milliseconds(500)));
  EXPECT_EQ(Cheapest().Decide(snapshot.view()).plans.at(0).point, kLo);
}

}  // namespace
}  // namespace anybit::scheduler
