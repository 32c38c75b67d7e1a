#include "scheduler/scheduler.h"

#include <chrono>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "scheduler/policies/slackfit.h"
#include "scheduler/testing/expecting_rig.h"
#include "scheduler/testing/rig.h"
#include "scheduler/testing/snapshot.h"

namespace anybit::scheduler {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using testing::Answer;
using ::testing::HasSubstr;
using testing::kAnyPoint;
using testing::kHi;
using testing::kLo;
using testing::kMid;
using testing::Rig;
using testing::T;
using testing::TaggedPayload;
using testing::ThreePoints;

// Decides as it is told.
class ScriptedPolicy final : public SchedulingPolicy {
 public:
  using Script = std::function<Decision(const SchedulerView&)>;
  explicit ScriptedPolicy(Script script) : script_(std::move(script)) {}
  std::string_view name() const override { return "scripted"; }
  void DecideInto(const SchedulerView& view, Decision& decision) const override { decision = script_(view); }

 private:
  Script script_;
};

SubmitRequest Request(MonoTime deadline, PointSet allowed = kAnyPoint, int rows = 1) {
  return {.deadline = deadline, .allowed = allowed, .rows = rows};
}

// One slot unless `options` says otherwise; hi takes 10 + 2 ms, mid 5 + 1 ms, lo 2 + 0.5 ms for 1 and each further row.
Rig SlackFitRig(scheduler::sim::SimRunnerOptions options = {}, SchedulerOptions scheduler_options = {}) {
  return Rig(ThreePoints(), std::make_unique<SlackFit>(ThreePoints()), options, scheduler_options);
}

void ExpectAnswer(const Rig& rig, int64_t tag, OutcomeKind kind, absl::StatusCode code, MonoTime at) {
  const Answer& answer = rig.answer(tag);
  EXPECT_STREQ(OutcomeName(answer.outcome.kind), OutcomeName(kind)) << "request " << tag;
  EXPECT_EQ(answer.outcome.status.code(), code) << answer.outcome.status;
  EXPECT_EQ(answer.at.time_since_epoch(), at.time_since_epoch()) << "request " << tag;
  ASSERT_NE(answer.outcome.payload, nullptr) << "request " << tag;
  EXPECT_EQ(static_cast<const TaggedPayload&>(*answer.outcome.payload).tag, tag);
}

TEST(SchedulerTest, ServesASingleRequestAtTheMostAccuratePointInTime) {
  Rig rig = SlackFitRig();
  rig.SubmitAt(T(milliseconds(3)), 1, Request(T(milliseconds(40))));
  rig.loop.Run();
  ExpectAnswer(rig, 1, OutcomeKind::kServed, absl::StatusCode::kOk, T(milliseconds(13)));
  const Outcome& outcome = rig.answer(1).outcome;
  EXPECT_EQ(outcome.point, kHi);
  EXPECT_EQ(outcome.expected_accuracy, 0.90);
  EXPECT_EQ(outcome.batch_rows, 1);
  EXPECT_EQ(outcome.queue_time, Duration::zero());
  EXPECT_EQ(outcome.compute_time, milliseconds(10));
  EXPECT_TRUE(outcome.deadline_met);
}

TEST(SchedulerTest, RequestsOfOneInstantShareABatch) {
  Rig rig = SlackFitRig();
  for (int tag = 1; tag <= 3; ++tag) rig.Submit(tag, Request(T(milliseconds(100))));
  rig.loop.Run();
  ASSERT_EQ(rig.trace.dispatched().size(), 1u);
  for (int tag = 1; tag <= 3; ++tag) {
    ExpectAnswer(rig, tag, OutcomeKind::kServed, absl::StatusCode::kOk, T(milliseconds(14)));
    EXPECT_EQ(rig.answer(tag).outcome.batch_rows, 3);
  }
}

TEST(SchedulerTest, RequestsThatArriveDuringABatchRunInTheNextByDeadline) {
  Rig rig = SlackFitRig();
  rig.Submit(1, Request(T(milliseconds(100)), PointSet::Of(kHi)));
  rig.SubmitAt(T(milliseconds(1)), 2, Request(T(milliseconds(90)), PointSet::Of(kHi), 8));
  rig.SubmitAt(T(milliseconds(2)), 3, Request(T(milliseconds(80)), PointSet::Of(kHi), 8));
  rig.loop.Run();
  ExpectAnswer(rig, 1, OutcomeKind::kServed, absl::StatusCode::kOk, T(milliseconds(10)));
  ExpectAnswer(rig, 3, OutcomeKind::kServed, absl::StatusCode::kOk, T(milliseconds(34)));
  ExpectAnswer(rig, 2, OutcomeKind::kServed, absl::StatusCode::kOk, T(milliseconds(58)));
  EXPECT_EQ(rig.answer(2).outcome.queue_time, milliseconds(33));
}

TEST(SchedulerTest, ASlotHasItsNextBatchBeforeTheAnswersOfTheLastOneGoOut) {
  Rig rig = SlackFitRig();
  size_t batches = 0;
  const auto submit = [&](Scheduler::Done done) {
    rig.scheduler.Submit(Request(kNever, PointSet::Of(kHi), 8), std::move(done));
  };
  submit([&](Outcome) { batches = rig.trace.dispatched().size(); });
  submit([](Outcome) {});
  rig.loop.Run();
  EXPECT_EQ(batches, 2u);
}

TEST(SchedulerTest, IsDrainedWhenTheLastAnswerIsOut) {
  Rig rig = SlackFitRig();
  bool answered = false, answered_before = false;
  rig.scheduler.Submit(Request(kNever), [&](Outcome) { answered = true; });
  rig.scheduler.Drain([&] { answered_before = answered; });
  rig.loop.Run();
  EXPECT_TRUE(answered_before);
}

// The profile of "lo" says 2 ms, the batch takes 5 of which it computes 2.
TEST(SchedulerTest, TheTimeThatABatchTakesBesideComputingIsLearnt) {
  Rig rig = SlackFitRig({.overhead = milliseconds(3)});
  for (int tag = 0; tag < 4; ++tag) {
    rig.SubmitAt(T(milliseconds(20 * tag)), tag, Request(kNever, PointSet::Of(kLo)));
  }
  rig.loop.Run();
  const auto& batches = rig.trace.dispatched();
  ASSERT_EQ(batches.size(), 4u);
  EXPECT_EQ(batches.front().predicted, milliseconds(2));
  EXPECT_EQ(batches.back().predicted, milliseconds(5));
}

// At `when` it becomes known that answers are so long under way.
void DeliverAt(Rig& rig, MonoTime when, Duration took) {
  rig.loop.PostAt(when, [&rig, when, took] {
    for (int i = 0; i < DeliveryMeter::kMinCount; ++i) rig.scheduler.Delivered(when - took);
  });
}

// A batch that ends 2 ms before its deadline is too late for an answer that takes 4; at most a quarter of 12 ms is
// kept.
// At rest everything takes 3 ms more than in ThreePoints.
TEST(SchedulerTest, TheFirstBatchAfterAPauseIsPredictedAtRestAndThoseBehindItAreNot) {
  Profile profile = ThreePoints();
  profile.rested = profile.latency;
  for (std::vector<Duration>& of_point : profile.rested) {
    for (Duration& latency : of_point) latency += milliseconds(3);
  }
  Rig rig(profile, std::make_unique<SlackFit>(ThreePoints()), {}, {});
  rig.SubmitAt(T(milliseconds(50)), 1, Request(T(milliseconds(500)), PointSet::Of(kHi)));
  rig.SubmitAt(T(milliseconds(51)), 2, Request(T(milliseconds(500)), PointSet::Of(kHi)));
  rig.loop.Run();
  ASSERT_EQ(rig.trace.dispatched().size(), 2u);
  EXPECT_EQ(rig.trace.dispatched()[0].predicted, milliseconds(13));
  EXPECT_LE(rig.trace.dispatched()[1].predicted, milliseconds(10));
}

TEST(SchedulerTest, BatchesEndEarlierByTheDeliveryTimeOfAnswers) {
  Rig rig = SlackFitRig();
  rig.SubmitAt(T(milliseconds(10)), 1, Request(T(milliseconds(22))));
  DeliverAt(rig, T(milliseconds(50)), milliseconds(4));
  rig.SubmitAt(T(milliseconds(60)), 2, Request(T(milliseconds(72))));
  rig.loop.Run();
  EXPECT_EQ(rig.answer(1).outcome.point, kHi);
  EXPECT_EQ(rig.answer(1).outcome.ended, T(milliseconds(20)));
  EXPECT_EQ(rig.answer(2).outcome.point, kMid) << "hi would end at 70 ms, and 69 is the latest";
  EXPECT_TRUE(rig.answer(2).outcome.deadline_met);
}

// At `when` it becomes known that refusals are so long under way.
void RefusalsSentAt(Rig& rig, MonoTime when, Duration took) {
  rig.loop.PostAt(when, [&rig, when, took] {
    for (size_t i = 0; i < EdgeBacklog::kWindow; ++i) rig.scheduler.RefusalSent(when - took);
  });
}

TEST(SchedulerTest, SlotsWaitUntilRefusalsAreNoLongerBehind) {
  Rig rig = SlackFitRig();
  rig.SubmitAt(T(milliseconds(0)), 1, Request(T(milliseconds(40))));
  RefusalsSentAt(rig, T(milliseconds(11)), milliseconds(20));
  rig.SubmitAt(T(milliseconds(12)), 2, Request(T(milliseconds(52))));
  rig.loop.Run();
  EXPECT_EQ(rig.answer(2).outcome.queue_time, milliseconds(19)) << "the backlog is worked off at 31 ms";
  EXPECT_TRUE(rig.answer(2).outcome.deadline_met);
}

TEST(SchedulerTest, AQuickRefusalEndsTheWaitAtOnce) {
  Rig rig = SlackFitRig();
  rig.SubmitAt(T(milliseconds(0)), 1, Request(T(milliseconds(40))));
  RefusalsSentAt(rig, T(milliseconds(11)), milliseconds(20));
  rig.SubmitAt(T(milliseconds(12)), 2, Request(T(milliseconds(52))));
  RefusalsSentAt(rig, T(milliseconds(15)), microseconds(100));
  rig.loop.Run();
  EXPECT_EQ(rig.answer(2).outcome.queue_time, milliseconds(3));
}

TEST(SchedulerTest, ARefusalCarriesItsInstant) {
  Rig rig = SlackFitRig();
  rig.SubmitAt(T(milliseconds(7)), 1, Request(T(milliseconds(8))));
  rig.loop.Run();
  EXPECT_EQ(rig.answer(1).outcome.ended, T(milliseconds(7)));
}

TEST(SchedulerTest, DeadlineMetComparesWithTheCallersDeadline) {
  Rig rig = SlackFitRig({.least_permille = 1100, .most_permille = 1100});
  DeliverAt(rig, T(milliseconds(50)), milliseconds(2));
  rig.SubmitAt(T(milliseconds(60)), 1, Request(T(milliseconds(72)), PointSet::Of(kHi)));  // to end by 70, ends at 71
  rig.loop.Run();
  EXPECT_EQ(rig.answer(1).outcome.ended, T(milliseconds(71)));
  EXPECT_TRUE(rig.answer(1).outcome.deadline_met);
}

TEST(SchedulerTest, ARequestThatCouldOnlyBeAnsweredLateIsRefusedBeforeItsDeadline) {
  Rig rig = SlackFitRig({.least_permille = 1100, .most_permille = 1100});
  DeliverAt(rig, T(milliseconds(5)), milliseconds(2));
  // The first should end at 34 ms and ends at 36.4, the second would take 2 then and is to end by 36.
  rig.SubmitAt(T(milliseconds(10)), 1, Request(kNever, PointSet::Of(kHi), 8));
  rig.SubmitAt(T(milliseconds(11)), 2, Request(T(milliseconds(38)), PointSet::Of(kLo)));
  rig.loop.Run();
  ExpectAnswer(rig, 2, OutcomeKind::kShed, absl::StatusCode::kResourceExhausted, T(milliseconds(36)));
  EXPECT_THAT(rig.answer(2).outcome.status.message(), HasSubstr("2000 us are left after 25000 us of waiting"));
}

TEST(SchedulerTest, SlotsRunSideBySide) {
  Rig rig = SlackFitRig({.slots = 2});
  rig.Submit(1, Request(kNever, kAnyPoint, 8));
  rig.Submit(2, Request(kNever, kAnyPoint, 8));
  rig.loop.Run();
  ExpectAnswer(rig, 1, OutcomeKind::kServed, absl::StatusCode::kOk, T(milliseconds(24)));
  ExpectAnswer(rig, 2, OutcomeKind::kServed, absl::StatusCode::kOk, T(milliseconds(24)));
}

TEST(SchedulerTest, RefusesARequestAtOnceThatNoPointCanServeInTime) {
  Rig rig = SlackFitRig();
  rig.SubmitAt(T(milliseconds(5)), 1, Request(T(milliseconds(6))));
  rig.SubmitAt(T(milliseconds(5)), 2, Request(T(milliseconds(5))));
  rig.loop.Run();
  ExpectAnswer(rig, 1, OutcomeKind::kShed, absl::StatusCode::kResourceExhausted, T(milliseconds(5)));
  ExpectAnswer(rig, 2, OutcomeKind::kExpired, absl::StatusCode::kDeadlineExceeded, T(milliseconds(5)));
  EXPECT_TRUE(rig.trace.admitted().empty());
}

TEST(SchedulerTest, ARefusalSaysWhenTheQueueWillHaveDrained) {
  Rig rig = SlackFitRig({}, {.max_queue_requests = 1});
  rig.Submit(1, Request(kNever, PointSet::Of(kHi), 8));
  rig.SubmitAt(T(milliseconds(4)), 2, Request(kNever, kAnyPoint, 8));
  rig.SubmitAt(T(milliseconds(4)), 3, Request(kNever));
  rig.loop.Run();
  ExpectAnswer(rig, 3, OutcomeKind::kShed, absl::StatusCode::kResourceExhausted, T(milliseconds(4)));
  EXPECT_THAT(std::string(rig.answer(3).outcome.status.message()), HasSubstr("queue of 1 requests is full (limit 1)"));
  EXPECT_EQ(rig.answer(3).outcome.retry_after, milliseconds(20) + microseconds(5500));
}

TEST(SchedulerTest, AWaitingRequestExpiresAtItsDeadlineAndNotOnlyAtTheNextEvent) {
  // The runner is five times slower than its profile says, so admission hoped too much.
  Rig rig = SlackFitRig({.least_permille = 5000, .most_permille = 5000});
  rig.Submit(1, Request(T(milliseconds(20)), PointSet::Of(kHi)));
  rig.SubmitAt(T(milliseconds(1)), 2, Request(T(milliseconds(30))));
  rig.SubmitAt(T(milliseconds(2)), 3, Request(T(milliseconds(25))));
  rig.loop.Run();
  ExpectAnswer(rig, 3, OutcomeKind::kExpired, absl::StatusCode::kDeadlineExceeded, T(milliseconds(25)));
  ExpectAnswer(rig, 2, OutcomeKind::kExpired, absl::StatusCode::kDeadlineExceeded, T(milliseconds(30)));
  ExpectAnswer(rig, 1, OutcomeKind::kServed, absl::StatusCode::kOk, T(milliseconds(50)));
  EXPECT_FALSE(rig.answer(1).outcome.deadline_met);
}

TEST(SchedulerTest, ShedsAHeadThatBecameInfeasibleWhileTheSlotWasBusy) {
  Rig rig = SlackFitRig({.least_permille = 2000, .most_permille = 2000});
  rig.Submit(1, Request(T(milliseconds(60)), PointSet::Of(kHi)));                         // ends at 20, not 10
  rig.SubmitAt(T(milliseconds(1)), 2, Request(T(milliseconds(21)), PointSet::Of(kMid)));  // needs 5
  rig.SubmitAt(T(milliseconds(1)), 3, Request(T(milliseconds(90)), PointSet::Of(kMid)));
  rig.loop.Run();
  ExpectAnswer(rig, 2, OutcomeKind::kShed, absl::StatusCode::kResourceExhausted, T(milliseconds(20)));
  ExpectAnswer(rig, 3, OutcomeKind::kServed, absl::StatusCode::kOk, T(milliseconds(30)));
  EXPECT_EQ(rig.answer(2).outcome.retry_after, milliseconds(5)) << "request 3 runs; one slow batch proves nothing";
}

TEST(SchedulerTest, CancellingAWaitingRequestAnswersItAtOnceAndFreesItsPlace) {
  Rig rig = SlackFitRig();
  rig.Submit(1, Request(kNever));
  rig.SubmitAt(T(milliseconds(1)), 2, Request(kNever));
  rig.loop.PostAt(T(milliseconds(3)), [&] { rig.scheduler.Cancel(rig.ids().at(2)); });
  rig.loop.Run();
  ExpectAnswer(rig, 2, OutcomeKind::kCancelled, absl::StatusCode::kCancelled, T(milliseconds(3)));
  EXPECT_EQ(rig.trace.dispatched().size(), 1u);
}

TEST(SchedulerTest, CancellingARunningRequestDropsItsRowAndNoOther) {
  Rig rig = SlackFitRig();
  rig.Submit(1, Request(kNever));
  rig.Submit(2, Request(kNever));
  rig.loop.PostAt(T(milliseconds(3)), [&] { rig.scheduler.Cancel(rig.ids().at(1)); });
  rig.loop.Run();
  ExpectAnswer(rig, 1, OutcomeKind::kCancelled, absl::StatusCode::kCancelled, T(milliseconds(12)));
  ExpectAnswer(rig, 2, OutcomeKind::kServed, absl::StatusCode::kOk, T(milliseconds(12)));
}

TEST(SchedulerTest, CancellingAnEndedOrUnknownRequestDoesNothing) {
  Rig rig = SlackFitRig();
  const RequestId id = rig.Submit(1, Request(kNever));
  rig.loop.Run();
  rig.scheduler.Cancel(id);
  rig.scheduler.Cancel(static_cast<RequestId>(12345));
  rig.loop.Run();
  ExpectAnswer(rig, 1, OutcomeKind::kServed, absl::StatusCode::kOk, T(milliseconds(10)));
}

TEST(SchedulerTest, DrainingServesAdmittedRequestsAndRefusesLaterOnes) {
  Rig rig = SlackFitRig();
  std::vector<MonoTime> drained;
  rig.Submit(1, Request(kNever, kAnyPoint, 8));
  rig.Submit(2, Request(kNever, kAnyPoint, 8));
  rig.loop.PostAt(T(milliseconds(1)), [&] { rig.scheduler.Drain([&] { drained.push_back(rig.loop.Now()); }); });
  rig.SubmitAt(T(milliseconds(2)), 3, Request(kNever));
  rig.loop.Run();
  ExpectAnswer(rig, 1, OutcomeKind::kServed, absl::StatusCode::kOk, T(milliseconds(24)));
  ExpectAnswer(rig, 2, OutcomeKind::kServed, absl::StatusCode::kOk, T(milliseconds(48)));
  ExpectAnswer(rig, 3, OutcomeKind::kUnavailable, absl::StatusCode::kUnavailable, T(milliseconds(2)));
  EXPECT_EQ(drained, (std::vector<MonoTime>{T(milliseconds(48))}));
}

TEST(SchedulerTest, DrainingAnIdleSchedulerEndsAtOnceEachTimeItIsAsked) {
  Rig rig = SlackFitRig();
  int drained = 0;
  rig.scheduler.Drain([&] { ++drained; });
  rig.loop.Run();
  rig.scheduler.Drain([&] { ++drained; });
  rig.loop.Run();
  EXPECT_EQ(drained, 2);
}

TEST(SchedulerTest, AFailedBatchFailsItsMembersAndTheNextOneRuns) {
  Rig rig = SlackFitRig({.fail_one_in = 1});
  rig.Submit(1, Request(kNever));
  rig.Submit(2, Request(kNever, PointSet::Of(kLo)));
  rig.loop.Run();
  ExpectAnswer(rig, 1, OutcomeKind::kFailed, absl::StatusCode::kInternal, T(milliseconds(10)));
  ExpectAnswer(rig, 2, OutcomeKind::kFailed, absl::StatusCode::kInternal, T(milliseconds(12)));
  EXPECT_EQ(rig.answer(1).outcome.compute_time, milliseconds(10));
}

TEST(SchedulerTest, CallsThatWereRefusedUnreadCountAsArrivals) {
  testing::ExpectingRig calm, busy;
  for (int i = 0; i < 400; ++i) busy.scheduler().CallRefused();
  EXPECT_GT(busy.ExpectedArrivals(), 10 * calm.ExpectedArrivals());
}

TEST(SchedulerTest, RefusesRequestsThatCanNeverRun) {
  Rig rig = SlackFitRig();
  rig.Submit(1, Request(kNever, PointSet()));
  rig.Submit(2, Request(kNever, kAnyPoint, 9));
  rig.loop.Run();
  ExpectAnswer(rig, 1, OutcomeKind::kFailed, absl::StatusCode::kInvalidArgument, MonoTime());
  ExpectAnswer(rig, 2, OutcomeKind::kFailed, absl::StatusCode::kInvalidArgument, MonoTime());
}

TEST(SchedulerTest, AWrongDecisionIsReplacedAndCounted) {
  Rig rig(ThreePoints(), std::make_unique<ScriptedPolicy>([](const SchedulerView&) {
            return Decision{.members = {0, 7}, .plans = {{.slot = 0, .point = kHi, .count = 2}}};
          }));
  rig.Submit(1, Request(kNever, PointSet::Of(kLo)));
  rig.loop.Run();
  ExpectAnswer(rig, 1, OutcomeKind::kServed, absl::StatusCode::kOk, T(milliseconds(2)));
  EXPECT_EQ(rig.scheduler.replaced_decisions(), 1);
  EXPECT_EQ(rig.trace.replaced_decisions(), 1);
}

TEST(SchedulerTest, APolicyThatNeverRunsAnythingCannotHangTheServer) {
  Rig rig(ThreePoints(), std::make_unique<ScriptedPolicy>([](const SchedulerView&) { return Decision(); }));
  for (int tag = 1; tag <= 5; ++tag) rig.Submit(tag, Request(kNever));
  rig.loop.Run();
  for (int tag = 1; tag <= 5; ++tag) {
    ExpectAnswer(rig, tag, OutcomeKind::kServed, absl::StatusCode::kOk, T(milliseconds(10 * tag)));
  }
}

TEST(SchedulerTest, APolicyIsAskedAgainWhenItAskedToBe) {
  Rig rig(ThreePoints(), std::make_unique<ScriptedPolicy>([](const SchedulerView& view) {
            if (view.now < T(milliseconds(7))) return Decision{.wake_at = T(milliseconds(7))};
            return Decision{.members = {0}, .plans = {{.slot = 0, .point = kMid, .count = 1}}};
          }));
  rig.Submit(1, Request(T(milliseconds(30))));
  rig.loop.Run();
  ExpectAnswer(rig, 1, OutcomeKind::kServed, absl::StatusCode::kOk, T(milliseconds(12)));
  EXPECT_EQ(rig.scheduler.replaced_decisions(), 0);
}

TEST(SchedulerTest, LearnsThatTheMachineIsSlowerThanItsProfile) {
  Rig rig = SlackFitRig({.least_permille = 2000, .most_permille = 2000});
  for (int i = 0; i < 100; ++i) {
    const MonoTime at = T(milliseconds(50 * i));
    rig.SubmitAt(at, i, Request(at + milliseconds(15)));
  }
  rig.loop.Run();
  EXPECT_EQ(rig.answer(0).outcome.point, kHi);  // 10 ms foretold, 20 taken
  EXPECT_FALSE(rig.answer(0).outcome.deadline_met);
  EXPECT_EQ(rig.answer(99).outcome.point, kMid);
  EXPECT_TRUE(rig.answer(99).outcome.deadline_met);
}

TEST(SchedulerTest, AnAnswerMaySubmitAgain) {
  Rig rig = SlackFitRig();
  bool second_served = false;
  rig.scheduler.Submit(Request(kNever), [&](Outcome) {
    rig.scheduler.Submit(Request(kNever), [&](Outcome outcome) { second_served = outcome.status.ok(); });
  });
  rig.loop.Run();
  EXPECT_TRUE(second_served);
}

TEST(SchedulerTest, ObserversGetAnEventForEachStepOfARequest) {
  Rig rig = SlackFitRig();
  rig.SubmitAt(T(milliseconds(1)), 1, Request(T(milliseconds(31)), kAnyPoint, 3));
  rig.loop.Run();
  ASSERT_EQ(rig.trace.admitted().size(), 1u);
  EXPECT_EQ(rig.trace.admitted()[0].rows, 3);
  ASSERT_EQ(rig.trace.dispatched().size(), 1u);
  const DispatchedEvent& dispatched = rig.trace.dispatched()[0];
  EXPECT_EQ(dispatched.point, kHi);
  EXPECT_EQ(dispatched.requests, 1);
  EXPECT_EQ(dispatched.rows, 3);
  EXPECT_EQ(dispatched.predicted, milliseconds(14));
  EXPECT_EQ(dispatched.earliest_slack, milliseconds(30));
  ASSERT_EQ(rig.trace.finished().size(), 1u);
  EXPECT_EQ(rig.trace.finished()[0].actual, milliseconds(14));
  EXPECT_TRUE(rig.trace.finished()[0].ok);
  ASSERT_EQ(rig.trace.ended().size(), 1u);
  const EndedEvent& ended = rig.trace.ended()[0];
  EXPECT_EQ(ended.kind, OutcomeKind::kServed);
  EXPECT_EQ(ended.total_time, milliseconds(14));
  EXPECT_TRUE(ended.has_deadline);
  EXPECT_TRUE(ended.deadline_met);
  ASSERT_EQ(rig.trace.queue().size(), 2u);
  EXPECT_EQ(rig.trace.queue()[0].running_batches, 1);
  EXPECT_EQ(rig.trace.queue()[1].running_batches, 0);
}

}  // namespace
}  // namespace anybit::scheduler
