#include "scheduler/policies/slackfit.h"

#include <chrono>

#include "gtest/gtest.h"
#include "scheduler/testing/snapshot.h"

namespace anybit::scheduler {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using testing::AffineProfile;
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

// With ThreePoints the three buckets are [2, 9.3], (9.3, 16.6] and (16.6, 24] ms. They keep lo x 8 (5.5 ms), mid x 8
// (12 ms) and hi x 8 (24 ms).
Decision Decide(const Snapshot& snapshot) { return SlackFit(ThreePoints()).Decide(snapshot.view()); }

Snapshot EightWaiting(Duration head_slack) {
  Snapshot snapshot(ThreePoints());
  snapshot.Add(T(head_slack));
  snapshot.AddMany(7, T(head_slack + milliseconds(100)));
  return snapshot;
}

void ExpectOnePlan(const Snapshot& snapshot, PointId point, const IdList& ids) {
  const Decision decision = Decide(snapshot);
  ASSERT_EQ(decision.plans.size(), 1u);
  EXPECT_EQ(decision.plans[0].point, point);
  EXPECT_EQ(PlannedIds(snapshot.view(), decision), ids);
  EXPECT_TRUE(decision.shed.empty());
}

const IdList kAllEight = {1, 2, 3, 4, 5, 6, 7, 8};

TEST(SlackFitTest, TakesTheBucketClosestToTheSlackOfTheHead) {
  ExpectOnePlan(EightWaiting(milliseconds(24)), kHi, kAllEight);
  ExpectOnePlan(EightWaiting(milliseconds(24) - Duration(1)), kMid, kAllEight);
  ExpectOnePlan(EightWaiting(milliseconds(12)), kMid, kAllEight);
  ExpectOnePlan(EightWaiting(milliseconds(12) - Duration(1)), kLo, kAllEight);
  ExpectOnePlan(EightWaiting(microseconds(5500)), kLo, kAllEight);
}

TEST(SlackFitTest, RunsAllWaitingRequestsWhenNoBucketFitsOrRefusesTheHead) {
  Snapshot two(ThreePoints());
  two.Add(T(microseconds(5499))).Add(T(milliseconds(90)));  // the first bucket: lo x 8, 5.5 ms
  ExpectOnePlan(two, kLo, {1, 2});
  const Snapshot eight = EightWaiting(microseconds(5499));
  const Decision decision = Decide(eight);
  EXPECT_EQ(Ids(eight.view(), decision.shed), (IdList{1}));
  EXPECT_EQ(PlannedIds(eight.view(), decision), (IdList{2, 3, 4, 5, 6, 7, 8}));
}

TEST(SlackFitTest, RefillsToTheMostAccuratePointThatRunsTheFewWaitingInTime) {
  Snapshot one(ThreePoints());
  one.Add(T(milliseconds(12)));  // bucket: mid x 8
  ExpectOnePlan(one, kHi, {1});
  Snapshot two(ThreePoints());
  two.Add(T(milliseconds(11))).Add(T(milliseconds(90)));  // hi x 2 would take 12 ms
  ExpectOnePlan(two, kMid, {1, 2});
}

TEST(SlackFitTest, RefusesInfeasibleHeadsAndServesTheNext) {
  Snapshot snapshot(ThreePoints());
  snapshot.Add(T(milliseconds(1))).Add(T(milliseconds(9)), PointSet::Of(kHi)).Add(T(milliseconds(40)));
  const Decision decision = Decide(snapshot);
  EXPECT_EQ(Ids(snapshot.view(), decision.shed), (IdList{1, 2}));
  ASSERT_EQ(decision.plans.size(), 1u);
  EXPECT_EQ(PlannedIds(snapshot.view(), decision), (IdList{3}));
}

TEST(SlackFitTest, ABatchPassesOverRequestsThatDoNotAcceptItsPoint) {
  Snapshot snapshot(ThreePoints());
  snapshot.Add(T(microseconds(6000)));  // bucket: lo x 8
  snapshot.Add(T(milliseconds(50)), PointSet::Of(kHi).With(kMid));
  snapshot.AddMany(7, T(milliseconds(60)));
  ExpectOnePlan(snapshot, kLo, {1, 3, 4, 5, 6, 7, 8, 9});
}

TEST(SlackFitTest, TheHeadsFloorChoosesTheBucketFromItsOwnPoints) {
  Snapshot snapshot(ThreePoints());
  snapshot.Add(T(milliseconds(16)), PointSet::Of(kHi));  // its second bucket keeps hi x 4, 16 ms
  snapshot.AddMany(7, T(milliseconds(60)));
  ExpectOnePlan(snapshot, kHi, {1, 2, 3, 4});
}

TEST(SlackFitTest, RefillingTakesAPointThatEveryMemberAccepts) {
  Snapshot snapshot(ThreePoints());
  snapshot.Add(T(milliseconds(12))).Add(T(milliseconds(50)), PointSet::Of(kMid).With(kLo));
  ExpectOnePlan(snapshot, kMid, {1, 2});  // the head alone would get hi
}

TEST(SlackFitTest, WithoutADeadlineTakesTheMostAccuratePointAndTheLargestBatch) {
  Snapshot snapshot(ThreePoints());
  snapshot.AddMany(9, kNever);
  ExpectOnePlan(snapshot, kHi, kAllEight);
  Snapshot pinned(ThreePoints());
  pinned.Add(kNever, PointSet::Of(kLo)).Add(kNever);
  ExpectOnePlan(pinned, kLo, {1, 2});
}

TEST(SlackFitTest, ABatchWithoutDeadlineDoesNotHoldTheSlotForLong) {
  // 20, 35, 50, 65 ms.
  const Profile profile = AffineProfile({{"slow", 0.90, milliseconds(20), milliseconds(15)}}, 4);
  const SlackFit policy(profile);
  Snapshot many(profile);
  many.AddMany(4, kNever, PointSet::First(1));
  EXPECT_EQ(PlannedIds(many.view(), policy.Decide(many.view())), (IdList{1, 2, 3}));
  Snapshot large(profile);
  large.Add(kNever, PointSet::First(1), 4).Add(kNever, PointSet::First(1));
  EXPECT_EQ(PlannedIds(large.view(), policy.Decide(large.view())), (IdList{1})) << "it cannot be split";
}

TEST(SlackFitTest, CountsRowsNotRequests) {
  Snapshot snapshot(ThreePoints());
  snapshot.Add(T(milliseconds(24)), kAnyPoint, 3).Add(T(milliseconds(30)), kAnyPoint, 6);
  snapshot.Add(T(milliseconds(40)), kAnyPoint, 5);
  ExpectOnePlan(snapshot, kHi, {1, 3});  // 3 + 6 rows do not fit in 8, 3 + 5 do
}

TEST(SlackFitTest, ARequestOfManyRowsGetsNoSmallerBucket) {
  Snapshot snapshot(ThreePoints());
  snapshot.Add(T(milliseconds(12)), PointSet::Of(kMid), 8);
  ExpectOnePlan(snapshot, kMid, {1});
}

TEST(SlackFitTest, FillsEveryIdleSlotAndNoOther) {
  Snapshot snapshot(ThreePoints(), 3);
  snapshot.Occupy(1, T(milliseconds(3)));
  snapshot.AddMany(12, T(milliseconds(24)));
  const Decision decision = Decide(snapshot);
  ASSERT_EQ(decision.plans.size(), 2u);
  EXPECT_EQ(decision.plans[0].slot, 0);
  EXPECT_EQ(PlannedIds(snapshot.view(), decision), kAllEight);
  EXPECT_EQ(decision.plans[1].slot, 2);
  EXPECT_EQ(PlannedIds(snapshot.view(), decision, 1), (IdList{9, 10, 11, 12}));
}

TEST(SlackFitTest, ADominatedPointIsNeverChosenUnlessItAloneIsAccepted) {
  // "bad" is slower than "good" and less accurate, and alone in the top bucket.
  const Profile profile = AffineProfile(
      {{"bad", 0.70, milliseconds(20), milliseconds(2)}, {"good", 0.80, milliseconds(4), milliseconds(1)}}, 4);
  const SlackFit policy(profile);
  Snapshot snapshot(profile);
  snapshot.AddMany(4, T(milliseconds(100)), PointSet::First(2));
  const Decision decision = policy.Decide(snapshot.view());
  ASSERT_EQ(decision.plans.size(), 1u);
  EXPECT_EQ(decision.plans[0].point, ToPointId(1));
  EXPECT_EQ(static_cast<size_t>(decision.plans[0].count), 4u);

  Snapshot pinned(profile);
  pinned.Add(T(milliseconds(100)), PointSet::Of(ToPointId(0)));
  EXPECT_EQ(policy.Decide(pinned.view()).plans.at(0).point, ToPointId(0));
}

TEST(SlackFitTest, EqualBatchesInABucketGoToTheMoreAccuratePoint) {
  const Profile profile = AffineProfile(
      {{"a", 0.80, milliseconds(10), milliseconds(1)}, {"b", 0.90, milliseconds(11), milliseconds(1)}}, 4);
  Snapshot snapshot(profile);
  snapshot.AddMany(4, T(milliseconds(100)), PointSet::First(2));
  EXPECT_EQ(SlackFit(profile, 1).Decide(snapshot.view()).plans.at(0).point, ToPointId(1));
}

TEST(SlackFitTest, FewerRowsThatTakeLongerAreNotRunLate) {
  Profile profile = AffineProfile({{"odd", 0.90, milliseconds(10), milliseconds(0)}}, 4);
  profile.latency[0] = {milliseconds(10), milliseconds(30), milliseconds(30), milliseconds(12)};
  Snapshot snapshot(profile);
  snapshot.AddMany(3, T(milliseconds(20)), PointSet::First(1));
  const Decision decision = SlackFit(profile).Decide(snapshot.view());
  EXPECT_EQ(PlannedIds(snapshot.view(), decision), (IdList{1}));
}

TEST(SlackFitTest, FollowsTheLatencyModelNotTheProfileAlone) {
  Snapshot snapshot = EightWaiting(milliseconds(24));
  for (int i = 0; i < 64; ++i) snapshot.latency().Observe(kHi, 1, milliseconds(20), T(milliseconds(0)));
  ExpectOnePlan(snapshot, kMid, kAllEight);  // twice as slow: mid x 8 takes 24 ms
}

// The literal variant with three buckets, as above: lo x 8, mid x 8, hi x 8.
Decision DecideLiterally(const Snapshot& snapshot) {
  return SlackFit(ThreePoints(), 3, SlackFit::Variant::kLiteral).Decide(snapshot.view());
}

TEST(SlackFitLiteralTest, KeepsTheBucketsPointWhenFewerWait) {
  Snapshot one(ThreePoints());
  one.Add(T(milliseconds(12)));
  const Decision decision = DecideLiterally(one);
  ASSERT_EQ(decision.plans.size(), 1u);
  EXPECT_EQ(decision.plans[0].point, kMid) << "the other variant refills to hi";
  EXPECT_EQ(PlannedIds(one.view(), decision), (IdList{1}));
}

TEST(SlackFitLiteralTest, RefusesAHeadThatNoBucketFits) {
  Snapshot snapshot(ThreePoints());
  snapshot.Add(T(microseconds(5499))).Add(T(microseconds(5500)));
  const Decision decision = DecideLiterally(snapshot);
  EXPECT_EQ(Ids(snapshot.view(), decision.shed), (IdList{1}));
  EXPECT_EQ(PlannedIds(snapshot.view(), decision), (IdList{2}));
}

TEST(SlackFitLiteralTest, EqualBatchesInABucketGoToThePointFoundFirst) {
  const Profile profile = AffineProfile(
      {{"a", 0.80, milliseconds(10), milliseconds(1)}, {"b", 0.90, milliseconds(11), milliseconds(1)}}, 4);
  Snapshot snapshot(profile);
  snapshot.AddMany(4, T(milliseconds(100)), PointSet::First(2));
  const SlackFit policy(profile, 1, SlackFit::Variant::kLiteral);
  EXPECT_EQ(policy.Decide(snapshot.view()).plans.at(0).point, ToPointId(0));
}

TEST(SlackFitLiteralTest, FewerRowsThatTakeLongerAreNotRunLate) {
  Profile profile = AffineProfile({{"odd", 0.90, milliseconds(10), milliseconds(0)}}, 4);
  profile.latency[0] = {milliseconds(30), milliseconds(15), milliseconds(30), milliseconds(12)};
  const SlackFit policy(profile, 1, SlackFit::Variant::kLiteral);
  Snapshot three(profile);
  three.AddMany(3, T(milliseconds(20)), PointSet::First(1));
  EXPECT_EQ(PlannedIds(three.view(), policy.Decide(three.view())), (IdList{1, 2}));
  Snapshot one(profile);
  one.Add(T(milliseconds(20)), PointSet::First(1));
  EXPECT_EQ(Ids(one.view(), policy.Decide(one.view()).shed), (IdList{1}));
}

}  // namespace
}  // namespace anybit::scheduler
