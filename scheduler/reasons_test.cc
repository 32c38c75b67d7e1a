// What observers hear of the reasons: why a request was shed, and why a batch runs at another point.
#include <chrono>
#include <memory>
#include <optional>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "scheduler/policies/slackfit.h"
#include "scheduler/scheduler.h"
#include "scheduler/testing/rig.h"
#include "scheduler/testing/snapshot.h"

namespace anybit::scheduler {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using testing::kAnyPoint;
using testing::kHi;
using testing::kLo;
using testing::kMid;
using testing::Rig;
using testing::T;
using testing::ThreePoints;

SubmitRequest Request(MonoTime deadline, PointSet allowed = kAnyPoint, int rows = 1) {
  return {.deadline = deadline, .allowed = allowed, .rows = rows};
}

// Hi takes 10 + 2 ms, mid 5 + 1 ms, lo 2 + 0.5 ms for 1 and each further row.
Rig OneSlot(SchedulerOptions options = {}) {
  return Rig(ThreePoints(), std::make_unique<SlackFit>(ThreePoints()), {}, options);
}

std::vector<ShedReason> ShedReasonsOf(const Rig& rig) {
  std::vector<ShedReason> reasons;
  for (const EndedEvent& event : rig.trace.ended()) {
    if (event.kind == OutcomeKind::kShed) reasons.push_back(event.shed_reason);
  }
  return reasons;
}

std::vector<std::optional<SwitchReason>> SwitchReasonsOf(const Rig& rig) {
  std::vector<std::optional<SwitchReason>> reasons;
  for (const DispatchedEvent& event : rig.trace.dispatched()) reasons.push_back(event.switched);
  return reasons;
}

TEST(ShedReasonTest, NoPointCanMeetTheDeadlineBehindThoseThatWait) {
  Rig rig = OneSlot();
  rig.Submit(1, Request(kNever, PointSet::Of(kHi), 8));
  rig.SubmitAt(T(milliseconds(1)), 2, Request(T(milliseconds(20))));
  rig.loop.Run();
  EXPECT_THAT(ShedReasonsOf(rig), ElementsAre(ShedReason::kDeadline));
}

TEST(ShedReasonTest, TheQueueIsFull) {
  Rig rig = OneSlot({.max_queue_requests = 1});
  rig.Submit(1, Request(kNever));
  rig.SubmitAt(T(milliseconds(1)), 2, Request(kNever));
  rig.SubmitAt(T(milliseconds(1)), 3, Request(kNever));
  rig.loop.Run();
  EXPECT_THAT(ShedReasonsOf(rig), ElementsAre(ShedReason::kQueueFull));
}

TEST(ShedReasonTest, ARequestOfMoreWeightNeedsThePlace) {
  Rig rig = OneSlot({.max_queue_requests = 1, .class_weights = {1, 2}});
  rig.Submit(1, Request(kNever));
  rig.SubmitAt(T(milliseconds(1)), 2, Request(kNever));
  SubmitRequest heavy = Request(kNever);
  heavy.sla_class = SlaClassId{1};
  rig.SubmitAt(T(milliseconds(2)), 3, std::move(heavy));
  rig.loop.Run();
  EXPECT_THAT(ShedReasonsOf(rig), ElementsAre(ShedReason::kWeight));
}

// More are let in than can be in time, since some may be given up.
TEST(ShedReasonTest, ARequestThatWaitedCannotBeInTimeAnyMore) {
  Rig rig = OneSlot();
  rig.Submit(1, Request(kNever, PointSet::Of(kHi), 8));
  for (int tag = 2; tag < 10; ++tag) rig.SubmitAt(T(milliseconds(1)), tag, Request(T(milliseconds(28)), kAnyPoint, 4));
  rig.loop.Run();
  ASSERT_FALSE(ShedReasonsOf(rig).empty());
  EXPECT_THAT(ShedReasonsOf(rig), ::testing::Contains(ShedReason::kLate));
}

TEST(SwitchReasonTest, TheFirstBatchAndOneOfTheSamePointHaveNone) {
  Rig rig = OneSlot();
  rig.Submit(1, Request(T(milliseconds(100))));
  rig.SubmitAt(T(milliseconds(20)), 2, Request(T(milliseconds(100))));
  rig.loop.Run();
  EXPECT_THAT(SwitchReasonsOf(rig), ElementsAre(std::nullopt, std::nullopt));
}

TEST(SwitchReasonTest, ADeadlineThatTheFormerPointWouldMissAndRecoveryAfterIt) {
  Rig rig = OneSlot();
  rig.Submit(1, Request(T(milliseconds(100))));
  rig.SubmitAt(T(milliseconds(20)), 2, Request(T(milliseconds(27))));
  rig.SubmitAt(T(milliseconds(40)), 3, Request(T(milliseconds(100))));
  rig.loop.Run();
  EXPECT_THAT(SwitchReasonsOf(rig), ElementsAre(std::nullopt, SwitchReason::kDeadline, SwitchReason::kRecovery));
}

TEST(SwitchReasonTest, ARequestThatDoesNotAcceptTheFormerPoint) {
  Rig rig = OneSlot();
  rig.Submit(1, Request(kNever, PointSet::Of(kLo)));
  rig.SubmitAt(T(milliseconds(20)), 2, Request(kNever, PointSet::Of(kHi)));
  rig.SubmitAt(T(milliseconds(40)), 3, Request(kNever, PointSet::Of(kMid)));
  rig.loop.Run();
  EXPECT_THAT(SwitchReasonsOf(rig), ElementsAre(std::nullopt, SwitchReason::kFloor, SwitchReason::kFloor));
}

TEST(SwitchReasonTest, ThoseThatWaitNeedTheTime) {
  const testing::Snapshot snapshot(ThreePoints());
  const auto reason = [&](PointId from, PointId to, Duration slack) {
    return ReasonOfSwitch(snapshot.view().latency, from, to, kAnyPoint, 1, slack);
  };
  EXPECT_EQ(reason(kHi, kLo, milliseconds(10)), SwitchReason::kBacklog);
  EXPECT_EQ(reason(kHi, kLo, milliseconds(10) - Duration(1)), SwitchReason::kDeadline);
  EXPECT_EQ(reason(kLo, kHi, milliseconds(10)), SwitchReason::kRecovery);
}

}  // namespace
}  // namespace anybit::scheduler
