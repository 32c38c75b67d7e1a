#include "scheduler/policies/anybit/anybit.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "scheduler/policies/anybit/testing/queues.h"
#include "scheduler/testing/snapshot.h"

namespace anybit::scheduler {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using testing::AffineProfile;
using testing::Decide;
using testing::FromTo;
using testing::IdList;
using testing::Ids;
using testing::kAnyPoint;
using testing::kHi;
using testing::kLo;
using testing::kMid;
using testing::kObjective;
using testing::Members;
using testing::MembersOfPlan;
using testing::PointFor;
using testing::Snapshot;
using testing::Steady;
using testing::T;
using testing::ThreePoints;
using testing::Waiting;

TEST(AnybitTest, RunsASingleRequestAtTheMostAccuratePointInTime) {
  EXPECT_EQ(PointFor(Waiting(1, milliseconds(10))), kHi);
  EXPECT_EQ(PointFor(Waiting(1, milliseconds(10) - Duration(1))), kMid);
  EXPECT_EQ(PointFor(Waiting(1, milliseconds(5) - Duration(1))), kLo);
  EXPECT_EQ(PointFor(Waiting(1, milliseconds(2))), kLo);
}

TEST(AnybitTest, ServesARequestOfManyRowsWithAFloorThoughNoLargerBatchIsInTime) {
  Snapshot snapshot(ThreePoints());
  snapshot.Add(T(milliseconds(20)), PointSet::Of(kHi), 5).Add(T(milliseconds(20)), PointSet::Of(kHi), 5);  // 18 ms each
  const Decision decision = Decide(snapshot);
  ASSERT_EQ(decision.plans.size(), 1u);
  EXPECT_EQ(decision.plans[0].point, kHi);
  EXPECT_EQ(Members(snapshot, decision), FromTo(1, 1));
}

TEST(AnybitTest, RefusesASingleRequestThatNoPointServesInTime) {
  const Decision decision = Decide(Waiting(1, milliseconds(2) - Duration(1)));
  EXPECT_EQ(decision.shed, (std::vector<int>{0}));
  EXPECT_TRUE(decision.plans.empty());
}

TEST(AnybitTest, TakesACheaperPointWhenTheQueueIsLong) {
  // In 60 ms hi carries 20 rows (2.5 batches of 24 ms), mid 40, lo 87.
  EXPECT_EQ(PointFor(Waiting(8)), kHi);
  EXPECT_EQ(PointFor(Waiting(16)), kHi);
  EXPECT_EQ(PointFor(Waiting(38)), kMid);
  EXPECT_EQ(PointFor(Waiting(80)), kLo);
}

TEST(AnybitTest, TakesTheEarliestDeadlinesInAsLargeABatchAsIsInTime) {
  const Snapshot many = Waiting(16);
  EXPECT_EQ(Members(many, Decide(many)), FromTo(1, 8));
  Snapshot tight(ThreePoints());
  tight.Add(T(milliseconds(14)));
  tight.AddMany(7, T(kObjective));
  const Decision decision = Decide(tight);
  ASSERT_EQ(decision.plans.size(), 1u);
  EXPECT_EQ(decision.plans[0].point, kHi);
  EXPECT_EQ(Members(tight, decision), FromTo(1, 3));  // hi x 3 takes 14 ms
}

TEST(AnybitTest, TakesACheaperPointWhenTheForecastIsHighAlthoughTheQueueIsShort) {
  // In an objective hi carries 20 rows, mid 40, lo 87.
  const auto point_at = [](double rate) {
    Snapshot snapshot = Waiting(4);
    snapshot.arrivals = Steady(rate);
    return PointFor(snapshot);
  };
  EXPECT_EQ(point_at(0), kHi);
  EXPECT_EQ(point_at(5), kHi);
  EXPECT_EQ(point_at(40), kMid);
  EXPECT_EQ(point_at(100), kLo);
}

TEST(AnybitTest, ARisingLoadIsSeenBeforeTheLongAverageShowsIt) {
  Snapshot snapshot = Waiting(4);
  snapshot.arrivals = {.fast = 80, .medium = 60, .slow = 5, .objective = kObjective};
  EXPECT_NE(PointFor(snapshot), kHi);
}

TEST(AnybitTest, AShortLullIsNoSpareTimeIfTheLongAverageLeavesNone) {
  Snapshot snapshot = Waiting(1);
  snapshot.arrivals = {.fast = 100, .medium = 100, .slow = 110, .objective = kObjective};
  EXPECT_EQ(PointFor(snapshot), kLo);
}

TEST(AnybitTest, InOverloadFeasibleRequestsRunAtTheFastestPointAndHopelessOnesAreRefused) {
  Snapshot snapshot(ThreePoints());
  snapshot.AddMany(4, T(milliseconds(1)));  // nothing is so fast
  snapshot.AddMany(6, T(milliseconds(3)));  // alone yes, but not 8 of them
  snapshot.AddMany(200, T(milliseconds(20)));
  const Decision decision = Decide(snapshot);
  ASSERT_EQ(decision.plans.size(), 1u);
  EXPECT_EQ(decision.plans[0].point, kLo);
  EXPECT_EQ(Members(snapshot, decision), FromTo(11, 18)) << "a full batch, not one of three for the most urgent";
  IdList shed = Ids(snapshot.view(), decision.shed);
  std::sort(shed.begin(), shed.end());
  EXPECT_EQ(shed, FromTo(1, 10)) << "those who cannot be in time after this batch either, and at once";
}

TEST(AnybitTest, RefusesOnlyRequestsThatCannotBeServedEvenIfAllGoesWell) {
  Snapshot snapshot = Waiting(9, milliseconds(24));
  snapshot.Add(T(milliseconds(26)));
  const Decision decision = Decide(snapshot);
  EXPECT_TRUE(decision.shed.empty()) << decision.shed.size();
}

TEST(AnybitTest, NeverWaitsBesideAnIdleSlot) {
  for (const int count : {1, 3, 8, 20, 90, 300}) {
    for (const double rate : {0.0, 20.0, 100.0, 1000.0}) {
      for (const milliseconds slack : {milliseconds(2), milliseconds(7), milliseconds(60), milliseconds(600)}) {
        Snapshot snapshot = Waiting(count, slack);
        snapshot.arrivals = Steady(rate);
        EXPECT_EQ(Decide(snapshot).plans.size(), 1u) << count << " waiting, " << rate << " to come, " << slack.count();
      }
    }
  }
}

TEST(AnybitTest, SeveralSlotsShareAQueue) {
  const Snapshot snapshot = Waiting(24, kObjective, Duration::zero(), 3);
  const Decision decision = Decide(snapshot);
  ASSERT_EQ(decision.plans.size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(decision.plans[i].slot, static_cast<int>(i));
    EXPECT_EQ(decision.plans[i].point, kHi);
    EXPECT_EQ(Members(snapshot, decision, i), FromTo(8 * i + 1, 8 * i + 8));
  }
}

TEST(AnybitTest, ASlotThatIsFreeSoonLetsThePointStayHigh) {
  // 32 rows within 60 ms are too many for one slot at hi.
  EXPECT_NE(PointFor(Waiting(32)), kHi);
  Snapshot helped = Waiting(32, kObjective, Duration::zero(), 2);
  helped.Occupy(1, T(milliseconds(3)));
  EXPECT_EQ(PointFor(helped), kHi);
  Snapshot late = Waiting(32, kObjective, Duration::zero(), 2);
  late.Occupy(1, T(milliseconds(70)));
  EXPECT_NE(PointFor(late), kHi);
}

// "bad" is slower than "good" at every size, and less accurate.
Profile WithDominatedPoint() {
  return AffineProfile({{"bad", 0.70, milliseconds(20), milliseconds(2)},
                        {"good", 0.80, milliseconds(4), milliseconds(1)},
                        {"same", 0.80, milliseconds(4), milliseconds(1)},
                        {"fast", 0.50, milliseconds(1), microseconds(200)}},
                       4);
}

TEST(AnybitTest, ADominatedPointIsNeverChosen) {
  for (const int count : {1, 4, 30, 300}) {
    for (const milliseconds slack : {milliseconds(3), milliseconds(25), milliseconds(60), milliseconds(1000)}) {
      Snapshot snapshot(WithDominatedPoint());
      snapshot.AddMany(count, T(slack), PointSet::First(4));
      const PointId point = PointFor(snapshot);
      EXPECT_TRUE(point == ToPointId(1) || point == ToPointId(3)) << ToIndex(point);
    }
  }
}

TEST(AnybitTest, ADominatedPointRunsRequestsThatArePinnedToIt) {
  Snapshot pinned(WithDominatedPoint());
  pinned.Add(T(milliseconds(100)), PointSet::Of(ToPointId(0)));
  EXPECT_EQ(PointFor(pinned), ToPointId(0));
  Snapshot forever(WithDominatedPoint());
  forever.Add(kNever, PointSet::Of(ToPointId(0)));
  EXPECT_EQ(PointFor(forever), ToPointId(0));
}

TEST(AnybitTest, APointThatIsBetterForLargeBatchesOnlyIsNotDominated) {
  // "batch" is less accurate and slower than "single" for one row, and faster for many.
  const Profile profile = AffineProfile(
      {{"single", 0.80, milliseconds(4), milliseconds(4)}, {"batch", 0.70, milliseconds(6), microseconds(100)}}, 8);
  Snapshot snapshot(profile);
  snapshot.AddMany(60, T(milliseconds(60)), PointSet::First(2));
  EXPECT_EQ(PointFor(snapshot), ToPointId(1));
}

TEST(AnybitTest, FollowsTheLatencyModelNotTheProfileAlone) {
  Snapshot snapshot = Waiting(1, milliseconds(12));
  EXPECT_EQ(PointFor(snapshot), kHi);
  for (int i = 0; i < 64; ++i) snapshot.latency().Observe(kHi, 1, milliseconds(20), T(milliseconds(0)));
  EXPECT_EQ(PointFor(snapshot), kMid);
}

// One batch of ten is 15 ms late to be handed back. Each must reckon with it, but not three in a row all the time: they
// end after 39, 56 and at the latest 88 ms, not after 39, 71 and 103.
TEST(AnybitTest, ManyBatchesAreExpectedToTakeTheirTypicalTimeNotTheWorst) {
  Snapshot snapshot = Waiting(24, milliseconds(100));
  for (int i = 0; i < 60; ++i) {
    snapshot.latency().Observe(kHi, 1, milliseconds(10), T(milliseconds(0)), milliseconds(i % 10 == 9 ? 15 : 0));
  }
  EXPECT_EQ(PointFor(snapshot), kHi);
}

TEST(AnybitTest, AWorldTenTimesAsSlowIsDecidedTheSame) {
  for (const int count : {1, 16, 30, 60, 120}) {
    for (const double rate : {0.0, 15.0, 30.0, 60.0, 120.0}) {
      Snapshot snapshot = Waiting(count, kObjective, microseconds(100));
      snapshot.arrivals = Steady(rate);
      Profile profile = ThreePoints();
      for (auto& latency : profile.latency) {
        for (Duration& l : latency) l *= 10;
      }
      Snapshot slow(profile);
      for (int i = 0; i < count; ++i) slow.Add(T(10 * (kObjective + i * microseconds(100))));
      slow.arrivals = Steady(rate);
      slow.arrivals.objective *= 10;
      const Decision a = Decide(snapshot);
      const Decision b = Decide(slow);
      EXPECT_EQ(a.members, b.members);
      EXPECT_EQ(a.shed, b.shed);
      EXPECT_EQ(a.plans.at(0).point, b.plans.at(0).point);
    }
  }
}

TEST(AnybitTest, PlansMoreThanSixtyFourSlots) {
  const Snapshot snapshot = Waiting(800, kObjective, Duration::zero(), 100);
  const Decision decision = Decide(snapshot);
  EXPECT_EQ(decision.plans.size(), 100u);
  Snapshot few = Waiting(5, kObjective, Duration::zero(), 100);
  for (int slot = 0; slot < 99; ++slot) few.Occupy(slot, T(milliseconds(30)));
  const Decision last = Decide(few);
  ASSERT_EQ(last.plans.size(), 1u);
  EXPECT_EQ(last.plans[0].slot, 99);
  EXPECT_EQ(last.plans[0].point, kHi);
}

TEST(AnybitTest, ChoosesAmongSixtyFourPoints) {
  std::vector<testing::AffinePoint> points;
  for (int p = 0; p < kMaxPoints; ++p) {
    points.push_back({std::to_string(p), 0.90 - 0.01 * p, microseconds(20000 - 300 * p), microseconds(4000 - 60 * p)});
  }
  const Profile profile = AffineProfile(points, 8);
  const auto point_with = [&](int count, Duration slack) {
    Snapshot snapshot(profile);
    snapshot.AddMany(count, T(slack), PointSet::First(kMaxPoints));
    return ToIndex(PointFor(snapshot));
  };
  EXPECT_EQ(point_with(1, milliseconds(20)), 0);
  EXPECT_EQ(point_with(1, microseconds(19999)), 1);
  EXPECT_EQ(point_with(1, microseconds(20000 - 300 * 63)), 63);
  const int some = point_with(40, milliseconds(150));
  EXPECT_GT(some, 0);
  EXPECT_LT(some, 63);
  EXPECT_GE(point_with(60, milliseconds(150)), some);
}

TEST(AnybitTest, AProfileOfBatchesOfOneRowIsEnough) {
  const Profile profile = AffineProfile(
      {{"hi", 0.90, milliseconds(10), Duration::zero()}, {"lo", 0.70, milliseconds(2), Duration::zero()}}, 1);
  const auto point_with = [&](int count) {
    Snapshot snapshot(profile);
    snapshot.AddMany(count, T(milliseconds(40)), PointSet::First(2));
    const Decision decision = Decide(snapshot);
    EXPECT_EQ(MembersOfPlan(decision, 0).size(), 1u);
    return ToIndex(decision.plans.at(0).point);
  };
  EXPECT_EQ(point_with(1), 0);
  EXPECT_EQ(point_with(3), 0);
  EXPECT_EQ(point_with(18), 1);
}

TEST(AnybitTest, CountsRowsNotRequests) {
  Snapshot snapshot(ThreePoints());
  snapshot.Add(T(milliseconds(24)), kAnyPoint, 3).Add(T(milliseconds(100)), kAnyPoint, 6);
  snapshot.Add(T(milliseconds(110)), kAnyPoint, 5);
  const Decision decision = Decide(snapshot);
  EXPECT_EQ(Members(snapshot, decision), (IdList{1, 3})) << "3 + 6 rows do not fit in 8, 3 + 5 do";
  EXPECT_EQ(decision.plans.at(0).point, kHi);
  Snapshot long_queue(ThreePoints());
  long_queue.AddMany(16, T(kObjective), kAnyPoint, 4);  // 64 rows
  EXPECT_EQ(PointFor(long_queue), kLo);
}

TEST(AnybitTest, ARequestAsLargeAsABatchIsServed) {
  Snapshot snapshot(ThreePoints());
  snapshot.Add(T(kObjective), kAnyPoint, 8).Add(T(kObjective), kAnyPoint, 1);
  EXPECT_EQ(Members(snapshot, Decide(snapshot)), (IdList{1}));
}

}  // namespace
}  // namespace anybit::scheduler
