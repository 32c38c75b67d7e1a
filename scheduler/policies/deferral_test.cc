#include "scheduler/policies/deferral.h"

#include <chrono>

#include "gtest/gtest.h"
#include "scheduler/testing/snapshot.h"

namespace anybit::scheduler {
namespace {

using std::chrono::milliseconds;
using testing::AffineProfile;
using testing::IdList;
using testing::Ids;
using testing::kAnyPoint;
using testing::kHi;
using testing::kLo;
using testing::PlannedIds;
using testing::Snapshot;
using testing::T;
using testing::ThreePoints;

// Each runs alone at the first point it accepts, 20 ms before its deadline if it can wait that long.
std::optional<DeferredBatch> AloneAndLate(const Unplanned& unplanned, int head) {
  const SchedulerView& view = unplanned.view();
  const PendingRequest& request = unplanned.At(head);
  const PointId point = request.allowed.Contains(kHi) ? kHi : kLo;
  if (view.latency.Predict(point, request.rows) > Slack(view, request)) return std::nullopt;
  return DeferredBatch{.batch = {.point = point, .members = {head}},
                       .start_at = SaturatingAdd(request.run_by, -milliseconds(20))};
}

Decision Decide(const Snapshot& snapshot) {
  const SchedulerView view = snapshot.view();
  Decision decision;
  FillIdleSlotsOrWait(view, decision, AloneAndLate);
  EXPECT_TRUE(Check(view, decision).ok()) << Check(view, decision);
  return decision;
}

TEST(DeferralTest, WaitsForTheHeadsStartAndWakesThen) {
  Snapshot snapshot(ThreePoints(), 2);
  snapshot.Add(T(milliseconds(50))).Add(T(milliseconds(51)));
  EXPECT_TRUE(Decide(snapshot).plans.empty());
  EXPECT_EQ(Decide(snapshot).wake_at, T(milliseconds(30)));
  snapshot.At(T(milliseconds(30)));
  const Decision decision = Decide(snapshot);
  EXPECT_EQ(Ids(snapshot.view(), decision.members), (IdList{1}));
  EXPECT_EQ(decision.wake_at, T(milliseconds(31))) << "the second slot waits for the second request";
}

TEST(DeferralTest, WakesBeforeARequestBehindTheHeadMustStart) {
  Snapshot snapshot(ThreePoints());
  snapshot.Add(T(milliseconds(50))).Add(T(milliseconds(51)), PointSet::Of(kHi), 8);  // 24 ms: by 27
  EXPECT_EQ(Decide(snapshot).wake_at, T(milliseconds(27)));
}

TEST(DeferralTest, ARequestThatMustStartNowRunsThoughTheHeadWaits) {
  Snapshot snapshot(ThreePoints());
  snapshot.Add(T(milliseconds(50))).Add(T(milliseconds(51)), PointSet::Of(kHi), 8).At(T(milliseconds(27)));
  EXPECT_EQ(PlannedIds(snapshot.view(), Decide(snapshot)), (IdList{2}));
}

TEST(DeferralTest, ARequestThatMustStartNowButHasNoBatchIsRefused) {
  // 8 rows take 38 ms at hi, the only point the rule above knows, and 24 ms at lo.
  Snapshot snapshot(AffineProfile({{"hi", 0.90, milliseconds(10), milliseconds(4)},
                                   {"mid", 0.85, milliseconds(10), milliseconds(4)},
                                   {"lo", 0.70, milliseconds(3), milliseconds(3)}},
                                  8));
  snapshot.Add(T(milliseconds(50))).Add(T(milliseconds(51)), kAnyPoint, 8).At(T(milliseconds(27)));
  const Decision decision = Decide(snapshot);
  EXPECT_EQ(Ids(snapshot.view(), decision.shed), (IdList{2}));
  EXPECT_EQ(decision.wake_at, T(milliseconds(30))) << "the head still waits";
}

TEST(DeferralTest, DoesNotWaitInAHurry) {
  Snapshot snapshot(ThreePoints());
  snapshot.Add(T(milliseconds(50)));
  snapshot.hurry = true;
  EXPECT_EQ(Ids(snapshot.view(), Decide(snapshot).members), (IdList{1}));
}

TEST(DeferralTest, RequestsWithoutADeadlineNeverMakeOthersLate) {
  Snapshot snapshot(ThreePoints());
  snapshot.Add(T(milliseconds(50))).Add(kNever);
  EXPECT_EQ(Decide(snapshot).wake_at, T(milliseconds(30)));
}

}  // namespace
}  // namespace anybit::scheduler
