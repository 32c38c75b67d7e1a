#include "scheduler/decision.h"

#include <chrono>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "scheduler/testing/snapshot.h"

namespace anybit::scheduler {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;
using testing::kHi;
using testing::kLo;
using testing::kMid;
using testing::Snapshot;
using testing::T;
using testing::ThreePoints;

Snapshot TwoWaiting() {
  Snapshot snapshot(ThreePoints(), 2);
  snapshot.Add(T(milliseconds(50))).Add(T(milliseconds(60)), PointSet::Of(kLo), 4);
  return snapshot;
}

struct PlanOf {
  int slot = 0;
  PointId point{};
  std::vector<int> members;
};

Decision Deciding(std::vector<PlanOf> plans, std::vector<int> shed = {}) {
  Decision decision{.shed = std::move(shed)};
  for (const PlanOf& plan : plans) decision.AddPlan(plan.slot, plan.point, plan.members);
  return decision;
}

void ExpectRefused(const Snapshot& snapshot, const Decision& decision, const char* text) {
  const absl::Status status = Check(snapshot.view(), decision);
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(status.message()), HasSubstr(text));
}

TEST(CheckTest, AcceptsBatchesThatUseEachSlotAndRequestOnce) {
  EXPECT_TRUE(Check(TwoWaiting().view(), Deciding({{0, kHi, {0}}, {1, kLo, {1}}})).ok());
  EXPECT_TRUE(Check(TwoWaiting().view(), Deciding({{1, kLo, {1, 0}}})).ok());
  EXPECT_TRUE(Check(TwoWaiting().view(), {.shed = {1, 0}}).ok());
}

TEST(CheckTest, RefusesRequestsThatDoNotExistOrAreUsedTwice) {
  ExpectRefused(TwoWaiting(), Deciding({{0, kLo, {0, 2}}}), "position 2 of 2");
  ExpectRefused(TwoWaiting(), {.shed = {-1}}, "position -1 of 2");
  ExpectRefused(TwoWaiting(), Deciding({{0, kLo, {0, 0}}}), "position 0 twice");
  ExpectRefused(TwoWaiting(), Deciding({{0, kLo, {0}}, {1, kLo, {0}}}), "position 0 twice");
  ExpectRefused(TwoWaiting(), Deciding({{0, kLo, {0}}}, {0}), "position 0 twice");
}

TEST(CheckTest, RefusesSlotsThatDoNotExistOrAreBusy) {
  ExpectRefused(TwoWaiting(), Deciding({{2, kLo, {0}}}), "slot 2 of 2");
  ExpectRefused(TwoWaiting(), Deciding({{-1, kLo, {0}}}), "slot -1 of 2");
  ExpectRefused(TwoWaiting().Occupy(1, T(milliseconds(5))), Deciding({{1, kLo, {0}}}), "slot 1, which is busy");
  ExpectRefused(TwoWaiting(), Deciding({{0, kLo, {0}}, {0, kLo, {1}}}), "slot 0, which is busy");
}

TEST(CheckTest, RefusesPointsThatDoNotExistOrAreNotAccepted) {
  ExpectRefused(TwoWaiting(), Deciding({{0, ToPointId(3), {0}}}), "point 3 of 3");
  ExpectRefused(TwoWaiting(), Deciding({{0, kMid, {0, 1}}}), "request 2 at mid, which it does not accept");
}

TEST(CheckTest, RefusesBatchesThatAreEmptyOrTooLarge) {
  ExpectRefused(TwoWaiting(), Deciding({{0, kLo, {}}}), "no members");
  Snapshot snapshot = TwoWaiting();
  snapshot.Add(T(milliseconds(70)), testing::kAnyPoint, 4);
  ExpectRefused(snapshot, Deciding({{0, kLo, {0, 1, 2}}}), "batch of 9 exceeds max batch size 8");
}

TEST(CheckTest, RefusesToLeaveASlotIdleBesideAFeasibleRequest) {
  ExpectRefused(TwoWaiting(), {}, "idle beside feasible request 1");
  ExpectRefused(TwoWaiting(), Deciding({{0, kHi, {0}}}), "idle beside feasible request 2");
}

TEST(CheckTest, AcceptsAnIdleSlotBesideInfeasibleRequestsOnly) {
  Snapshot snapshot(ThreePoints());
  snapshot.Add(T(milliseconds(1))).Add(T(milliseconds(9)), PointSet::Of(kHi));
  EXPECT_TRUE(Check(snapshot.view(), {}).ok());
}

TEST(CheckTest, AcceptsWaitingOnlyUntilTheLastInstantThatIsInTime) {
  Snapshot snapshot(ThreePoints());
  snapshot.Add(T(milliseconds(50)));  // "lo" needs 2 ms
  EXPECT_TRUE(Check(snapshot.view(), {.wake_at = T(milliseconds(48))}).ok());
  ExpectRefused(snapshot, {.wake_at = T(milliseconds(48) + Duration(1))}, "nobody wakes in time");
  ExpectRefused(snapshot, {.wake_at = snapshot.now}, "nobody wakes in time");
}

TEST(CheckTest, RefusesToWaitForEverWithARequestWithoutADeadline) {
  Snapshot snapshot(ThreePoints());
  snapshot.Add(kNever);
  ExpectRefused(snapshot, {}, "idle beside feasible request 1");
  EXPECT_TRUE(Check(snapshot.view(), {.wake_at = T(milliseconds(1))}).ok());
}

TEST(DecisionCheckTest, RequestsAndSlotsOfOneDecisionAreFreeForTheNext) {
  const Snapshot snapshot = TwoWaiting();
  DecisionCheck check;
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(check(snapshot.view(), Deciding({{0, kHi, {0}}, {1, kLo, {1}}})).ok());
    EXPECT_FALSE(check(snapshot.view(), Deciding({{0, kLo, {0, 0}}})).ok());
    EXPECT_FALSE(check(snapshot.view(), Deciding({{0, kHi, {0}}})).ok()) << "request 2 is not taken any more";
    EXPECT_TRUE(check(snapshot.view(), {.shed = {1, 0}}).ok());
  }
}

TEST(DecisionCheckTest, QueuesAndSlotsMayGrowAndShrink) {
  DecisionCheck check;
  for (const int waiting : {1, 9, 2, 30}) {
    Snapshot snapshot(ThreePoints(), waiting);
    Decision decision;
    for (int i = 0; i < waiting; ++i) {
      snapshot.Add(kNever);
      decision.AddPlan(waiting - 1 - i, kHi, std::vector<int>{i});
    }
    EXPECT_TRUE(check(snapshot.view(), decision).ok());
    decision.shed = {waiting};
    EXPECT_FALSE(check(snapshot.view(), decision).ok()) << "there is no such request, though there may have been";
  }
}

TEST(DecisionTest, AClearedDecisionIsLikeANewOne) {
  Decision decision = Deciding({{0, kHi, {0}}, {1, kLo, {1}}}, {2});
  decision.wake_at = T(milliseconds(1));
  decision.Clear();
  EXPECT_TRUE(decision.shed.empty() && decision.members.empty() && decision.plans.empty());
  EXPECT_EQ(decision.wake_at, kNever);
}

TEST(RequestWeightTest, IsThatOfTheClassTimesThatOfTheTenant) {
  Snapshot snapshot(ThreePoints());
  snapshot.class_weights = {1, 4};
  snapshot.tenants = {{.weight = 1}, {.weight = 0.5}};
  const auto weight = [&](int sla_class, int tenant) {
    return RequestWeight(snapshot.view(),
                         {.sla_class = static_cast<SlaClassId>(sla_class), .tenant = static_cast<TenantId>(tenant)});
  };
  EXPECT_EQ(weight(0, 0), 1);
  EXPECT_EQ(weight(1, 0), 4);
  EXPECT_EQ(weight(1, 1), 2);
  EXPECT_EQ(weight(2, 2), 1) << "classes and tenants that nobody spoke of";
}

TEST(IsFeasibleTest, ARequestIsFeasibleIfItCanEndExactlyAtItsDeadline) {
  Snapshot snapshot(ThreePoints());
  snapshot.Add(T(milliseconds(2))).Add(T(milliseconds(2) - Duration(1)));
  EXPECT_FALSE(IsFeasible(snapshot.view(), snapshot.view().waiting[0]));
  EXPECT_TRUE(IsFeasible(snapshot.view(), snapshot.view().waiting[1]));
}

}  // namespace
}  // namespace anybit::scheduler
