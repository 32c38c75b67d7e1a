// The anybit policy with requests that differ: in floors, weights and deadlines.
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "gtest/gtest.h"
#include "scheduler/policies/anybit/testing/queues.h"
#include "scheduler/testing/snapshot.h"

namespace anybit::scheduler {
namespace {

using std::chrono::milliseconds;
using testing::Decide;
using testing::FromTo;
using testing::IdList;
using testing::kAnyPoint;
using testing::kHi;
using testing::kLo;
using testing::kMid;
using testing::kMidFloor;
using testing::kObjective;
using testing::Members;
using testing::MembersOfPlan;
using testing::PointFor;
using testing::Snapshot;
using testing::Steady;
using testing::T;
using testing::ThreePoints;

constexpr PointSet kHighFloor = PointSet::Of(kHi);

TEST(AnybitMixedQueueTest, NoRequestIsServedBelowItsFloor) {
  Snapshot snapshot(ThreePoints());
  for (int i = 0; i < 60; ++i) {
    snapshot.Add(T(kObjective), i % 3 == 0 ? kHighFloor : i % 3 == 1 ? kMidFloor : kAnyPoint);
  }
  const Decision decision = Decide(snapshot);  // Check has looked at each member
  EXPECT_EQ(decision.plans.size(), 1u);
}

// Too many for either point; every other one, 1, 3, ..., has a floor.
Snapshot HalfWithFloors(double attained_with_floor, double attained_without_floor) {
  Snapshot snapshot(ThreePoints());
  for (int i = 0; i < 200; ++i) snapshot.Add(T(milliseconds(30)), i % 2 == 0 ? kMidFloor : kAnyPoint);
  snapshot.arrivals = Steady(300);
  snapshot.attained_with_floor = attained_with_floor;
  snapshot.attained_without_floor = attained_without_floor;
  return snapshot;
}

TEST(AnybitMixedQueueTest, InOverloadRequestsWithAFloorRunAtTheirCheapestPointIfFewerOfThemWereInTime) {
  const Snapshot snapshot = HalfWithFloors(0.4, 0.5);
  const Decision decision = Decide(snapshot);
  ASSERT_EQ(decision.plans.size(), 1u);
  EXPECT_EQ(decision.plans[0].point, kMid);
  EXPECT_EQ(Members(snapshot, decision), (IdList{1, 3, 5, 7, 9, 11, 13, 15}));
}

TEST(AnybitMixedQueueTest, InOverloadRequestsWithoutAFloorRunAtTheFastestPointIfFewerOfThemWereInTime) {
  const Snapshot snapshot = HalfWithFloors(0.5, 0.4);
  const Decision decision = Decide(snapshot);
  ASSERT_EQ(decision.plans.size(), 1u);
  EXPECT_EQ(decision.plans[0].point, kLo);
  EXPECT_EQ(Members(snapshot, decision), (IdList{2, 4, 6, 8, 10, 12, 14, 16}));
}

TEST(AnybitMixedQueueTest, InOverloadAFewRequestsWithAFloorTakeTurnsInFullBatches) {
  Snapshot snapshot(ThreePoints());
  for (int i = 0; i < 200; ++i) snapshot.Add(T(milliseconds(30)), i % 20 == 0 ? kMidFloor : kAnyPoint);
  snapshot.attained_with_floor = 0.4;
  snapshot.attained_without_floor = 0.5;
  const Decision decision = Decide(snapshot);
  ASSERT_EQ(decision.plans.size(), 1u);
  EXPECT_EQ(decision.plans[0].point, kMid);
  EXPECT_EQ(Members(snapshot, decision), (IdList{1, 21, 41, 61, 81, 101, 121, 141}));
}

TEST(AnybitMixedQueueTest, InOverloadRequestsOfMoreWeightAreMembersFirst) {
  Snapshot snapshot(ThreePoints());
  snapshot.class_weights = {1, 3};
  snapshot.AddMany(100, T(milliseconds(20)));
  snapshot.AddMany(8, T(milliseconds(21)), kAnyPoint, 1, SlaClassId{1});  // 101 .. 108
  snapshot.arrivals = Steady(300);
  const Decision decision = Decide(snapshot);
  ASSERT_EQ(decision.plans.size(), 1u);
  EXPECT_EQ(decision.plans[0].point, kLo);
  EXPECT_EQ(Members(snapshot, decision), FromTo(101, 108));
}

TEST(AnybitMixedQueueTest, InOverloadRequestsOfTenantsWithinTheirShareAreMembersFirst) {
  Snapshot snapshot(ThreePoints());
  snapshot.tenants = {{.weight = 0.2}, {.weight = 1}};
  snapshot.AddMany(100, T(milliseconds(20)));
  snapshot.AddMany(3, T(milliseconds(21)), kAnyPoint, 1, {}, TenantId{1});  // 101 .. 103
  const Decision decision = Decide(snapshot);
  IdList expected = FromTo(1, 5);
  for (const uint64_t id : FromTo(101, 103)) expected.push_back(id);
  EXPECT_EQ(Members(snapshot, decision), expected);
}

TEST(AnybitMixedQueueTest, WithoutOverloadWeightsChangeNothing) {
  Snapshot snapshot(ThreePoints());
  snapshot.class_weights = {1, 3};
  snapshot.AddMany(8, T(kObjective));
  snapshot.AddMany(4, T(kObjective * 2), kAnyPoint, 1, SlaClassId{1});
  EXPECT_EQ(Members(snapshot, Decide(snapshot)), FromTo(1, 8));
}

TEST(AnybitMixedQueueTest, RequestsWithoutADeadlineFillUpABatch) {
  Snapshot snapshot(ThreePoints());
  snapshot.AddMany(3, T(kObjective));
  snapshot.AddMany(20, kNever);
  const Decision decision = Decide(snapshot);
  EXPECT_EQ(Members(snapshot, decision), FromTo(1, 8));
  EXPECT_EQ(decision.plans.at(0).point, kHi);
}

TEST(AnybitMixedQueueTest, RequestsWithoutADeadlineDoNotMakeOthersLateOrLessAccurate) {
  Snapshot snapshot(ThreePoints());
  snapshot.AddMany(3, T(milliseconds(16)));  // hi x 4 takes 16 ms
  snapshot.AddMany(20, kNever);
  const Decision decision = Decide(snapshot);
  EXPECT_EQ(decision.plans.at(0).point, kHi);
  EXPECT_LE(decision.plans.at(0).count, 4);
}

TEST(AnybitMixedQueueTest, RequestsWithoutADeadlineAloneRunAtTheMostAccuratePoint) {
  Snapshot snapshot(ThreePoints());
  snapshot.AddMany(20, kNever);
  EXPECT_EQ(PointFor(snapshot), kHi);
  Snapshot pinned(ThreePoints());
  pinned.Add(kNever, PointSet::Of(kLo));
  EXPECT_EQ(PointFor(pinned), kLo);
}

// Those that wait without a deadline came 30 objectives ago.
Snapshot WithAged(int with_deadline, Duration slack, int aged) {
  Snapshot snapshot(ThreePoints());
  snapshot.AddMany(aged, kNever);  // 1 .. aged
  snapshot.At(T(30 * kObjective));
  snapshot.AddMany(with_deadline, snapshot.now + slack);
  snapshot.arrivals = Steady(10);
  return snapshot;
}

int AgedMembers(const Snapshot& snapshot, const Decision& decision) {
  int aged = 0;
  for (const int member : MembersOfPlan(decision, 0)) {
    aged += snapshot.view().waiting[static_cast<size_t>(member)].run_by == kNever;
  }
  return aged;
}

TEST(AnybitMixedQueueTest, AgedRequestsWithoutADeadlineTakeAQuarterOfTheRows) {
  const Snapshot snapshot = WithAged(12, kObjective, 5);
  const Decision decision = Decide(snapshot);
  EXPECT_EQ(MembersOfPlan(decision, 0).size(), 8u);
  EXPECT_EQ(AgedMembers(snapshot, decision), 2);
}

TEST(AnybitMixedQueueTest, AgedRequestsWithoutADeadlineTakeAQuarterOfTheRowsInOverloadToo) {
  Snapshot snapshot = WithAged(200, milliseconds(30), 5);
  snapshot.arrivals = Steady(300);
  const Decision decision = Decide(snapshot);
  EXPECT_EQ(MembersOfPlan(decision, 0).size(), 8u);
  EXPECT_EQ(AgedMembers(snapshot, decision), 2);
}

}  // namespace
}  // namespace anybit::scheduler
