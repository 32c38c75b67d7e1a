#include "scheduler/admission/admission.h"

#include <chrono>
#include <optional>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "scheduler/testing/snapshot.h"

namespace anybit::scheduler {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using ::testing::HasSubstr;
using testing::kAnyPoint;
using testing::kHi;
using testing::kLo;
using testing::Snapshot;
using testing::T;
using testing::ThreePoints;

absl::Status Admit(const Snapshot& snapshot, MonoTime deadline, PointSet allowed = kAnyPoint, int rows = 1) {
  return AdmissionControl()
      .Admit(snapshot.view(), {.answer_by = deadline, .run_by = deadline, .allowed = allowed, .rows = rows})
      .status;
}

void ExpectRefused(const absl::Status& status, absl::StatusCode code, const char* text) {
  EXPECT_EQ(status.code(), code);
  EXPECT_THAT(std::string(status.message()), HasSubstr(text));
}

TEST(AdmissionTest, AdmitsARequestThatAnIdleSlotServesExactlyInTime) {
  const Snapshot idle(ThreePoints());
  EXPECT_TRUE(Admit(idle, T(milliseconds(2))).ok());
  EXPECT_TRUE(Admit(idle, T(milliseconds(10)), PointSet::Of(kHi)).ok());
  ExpectRefused(Admit(idle, T(milliseconds(2) - Duration(1))), absl::StatusCode::kResourceExhausted,
                "no operating point can meet the deadline: 1999 us are left");
  ExpectRefused(Admit(idle, T(milliseconds(9)), PointSet::Of(kHi)), absl::StatusCode::kResourceExhausted, "9000 us");
}

TEST(AdmissionTest, CountsTheRowsOfTheRequestItself) {
  const Snapshot idle(ThreePoints());
  EXPECT_TRUE(Admit(idle, T(microseconds(3500)), kAnyPoint, 4).ok());
  EXPECT_FALSE(Admit(idle, T(microseconds(3499)), kAnyPoint, 4).ok());
}

TEST(AdmissionTest, ARequestThatAnIdleServerCouldNotServeIsToldNotToRetry) {
  Snapshot idle(ThreePoints());
  ExpectRefused(Admit(idle, T(microseconds(1500)), kAnyPoint, 8), absl::StatusCode::kResourceExhausted,
                "1500 us");  // a profile that nothing has confirmed
  for (int i = 0; i < 5; ++i) idle.latency().Observe(kHi, 8, milliseconds(24), T(Duration::zero()));
  ExpectRefused(Admit(idle, T(microseconds(1500)), kAnyPoint, 8), absl::StatusCode::kDeadlineExceeded,
                "1500 us are left, and 8 rows take at least 5500 us on an idle server");
}

TEST(AdmissionTest, ATemporarilySlowMachineDoesNotForbidARetry) {
  Snapshot slow(ThreePoints());
  for (int i = 0; i < 20; ++i) slow.latency().Observe(kHi, 1, milliseconds(400), T(Duration::zero()));
  ExpectRefused(Admit(slow, T(milliseconds(20))), absl::StatusCode::kResourceExhausted, "20000 us are left");
}

TEST(AdmissionTest, WaitsForTheFirstSlotThatGetsFree) {
  Snapshot busy(ThreePoints(), 2);
  busy.Occupy(0, T(milliseconds(30))).Occupy(1, T(milliseconds(4)));
  EXPECT_FALSE(Admit(busy, T(milliseconds(5))).ok());
  EXPECT_TRUE(Admit(busy, T(milliseconds(20))).ok());
}

TEST(AdmissionTest, ASlotThatIsOverdueCountsAsFree) {
  Snapshot late(ThreePoints());
  late.At(T(milliseconds(100))).Occupy(0, T(milliseconds(40)));
  EXPECT_TRUE(Admit(late, T(milliseconds(102))).ok());
}

TEST(AdmissionTest, CountsTheWorkOfEarlierDeadlinesAndNotOfLaterOnes) {
  Snapshot queue(ThreePoints());
  // 80 rows at 5.5 ms / 8 are 55 ms; two batches of them, 11 ms, may be given up.
  queue.AddMany(80, T(milliseconds(40)));
  EXPECT_FALSE(Admit(queue, T(milliseconds(40))).ok());
  EXPECT_TRUE(Admit(queue, T(milliseconds(39))).ok());
  EXPECT_TRUE(Admit(queue, T(milliseconds(45))).ok());
}

// `waiting` requests are due at 40 ms; one more has the same deadline.
bool AdmitsOneMoreAt40(int waiting, int slots) {
  Snapshot queue(ThreePoints(), slots);
  queue.max_queue_requests = 1000;
  queue.AddMany(waiting, T(milliseconds(40)));
  return Admit(queue, T(milliseconds(40))).ok();
}

TEST(AdmissionTest, ToleratesTwoFullBatchesOfMoreUrgentRequestsThatMayBeGivenUp) {
  // In 40 ms a slot carries 58.2 rows at 5.5 ms / 8; with 16 more, 74.2.
  EXPECT_TRUE(AdmitsOneMoreAt40(73, 1));
  EXPECT_FALSE(AdmitsOneMoreAt40(74, 1));
  EXPECT_TRUE(AdmitsOneMoreAt40(147, 2));
  EXPECT_FALSE(AdmitsOneMoreAt40(148, 2));
}

TEST(AdmissionTest, ToleratesNoMoreThanHalfOfTheSlack) {
  // In 8 ms + 4 ms a slot carries 17.4 rows.
  Snapshot queue(ThreePoints());
  queue.AddMany(16, T(milliseconds(8)));
  EXPECT_TRUE(Admit(queue, T(milliseconds(8))).ok());
  queue.Add(T(milliseconds(8)));
  EXPECT_FALSE(Admit(queue, T(milliseconds(8))).ok());
}

TEST(AdmissionTest, WorkThatMayNotRunCheaplyCountsFully) {
  Snapshot queue(ThreePoints());
  queue.AddMany(16, T(milliseconds(30)), PointSet::Of(kHi));  // 16 rows at 24 ms / 8
  // 48 ms of them, 0.6875 of its own, and 11 may be given up.
  EXPECT_FALSE(Admit(queue, T(microseconds(37687))).ok());
  EXPECT_TRUE(Admit(queue, T(microseconds(37688))).ok());
}

TEST(AdmissionTest, SlotsShareTheWork) {
  Snapshot queue(ThreePoints(), 2);
  queue.AddMany(16, T(milliseconds(20)), PointSet::Of(kHi));
  EXPECT_TRUE(Admit(queue, T(milliseconds(25))).ok());
}

TEST(AdmissionTest, RefusesWhenTheQueueIsFull) {
  Snapshot queue(ThreePoints());
  queue.max_queue_requests = 2;
  queue.Add(kNever);
  EXPECT_TRUE(Admit(queue, kNever).ok());
  queue.Add(kNever);
  ExpectRefused(Admit(queue, kNever), absl::StatusCode::kResourceExhausted, "queue of 2 requests is full (limit 2)");
}

TEST(AdmissionTest, RefusesADeadlineThatIsNotAfterNow) {
  Snapshot idle(ThreePoints());
  idle.At(T(milliseconds(5)));
  ExpectRefused(Admit(idle, T(milliseconds(5))), absl::StatusCode::kDeadlineExceeded, "0 us are left");
  ExpectRefused(Admit(idle, MonoTime::min()), absl::StatusCode::kDeadlineExceeded, "passed before admission");
}

TEST(AdmissionTest, RefusesEverythingWhileDraining) {
  Snapshot idle(ThreePoints());
  idle.draining = true;
  ExpectRefused(Admit(idle, kNever), absl::StatusCode::kUnavailable, "draining");
}

TEST(AdmissionTest, RefusesPointsAndRowsThatDoNotExist) {
  const Snapshot idle(ThreePoints());
  ExpectRefused(Admit(idle, kNever, PointSet()), absl::StatusCode::kInvalidArgument, "no operating point");
  ExpectRefused(Admit(idle, kNever, PointSet::First(4)), absl::StatusCode::kInvalidArgument, "beyond the 3");
  ExpectRefused(Admit(idle, kNever, kAnyPoint, 0), absl::StatusCode::kInvalidArgument, "batch of 0 is outside 1 to");
  ExpectRefused(Admit(idle, kNever, kAnyPoint, 9), absl::StatusCode::kInvalidArgument, "max batch size 8");
}

// Classes 0, 1 and 2 weigh 1, 2 and 3.
Snapshot Weighted() {
  Snapshot snapshot(ThreePoints());
  snapshot.class_weights = {1, 2, 3};
  return snapshot;
}

Admission AdmitOfClass(const Snapshot& snapshot, int sla_class, MonoTime deadline = kNever) {
  return AdmissionControl().Admit(snapshot.view(), {.answer_by = deadline,
                                                    .run_by = deadline,
                                                    .allowed = kAnyPoint,
                                                    .sla_class = static_cast<SlaClassId>(sla_class)});
}

void Wait(Snapshot& snapshot, int count, int sla_class, MonoTime deadline) {
  snapshot.AddMany(count, deadline, kAnyPoint, 1, static_cast<SlaClassId>(sla_class));
}

TEST(AdmissionTest, InAFullQueueTheLeastUrgentOfTheLightestMakesRoomForAHeavierRequest) {
  Snapshot queue = Weighted();
  queue.max_queue_requests = 4;
  Wait(queue, 1, 1, T(milliseconds(10)));
  Wait(queue, 2, 0, T(milliseconds(20)));
  Wait(queue, 1, 1, T(milliseconds(30)));
  for (const int heavier : {1, 2}) {
    const Admission admission = AdmitOfClass(queue, heavier);
    EXPECT_TRUE(admission.status.ok()) << admission.status;
    EXPECT_EQ(admission.instead, 2);
  }
}

TEST(AdmissionTest, InAFullQueueNoRequestMakesRoomForOneOfTheSameWeight) {
  Snapshot queue = Weighted();
  queue.max_queue_requests = 2;
  Wait(queue, 2, 1, kNever);
  for (const int no_heavier : {0, 1}) {
    const Admission admission = AdmitOfClass(queue, no_heavier);
    ExpectRefused(admission.status, absl::StatusCode::kResourceExhausted, "queue of 2 requests is full (limit 2)");
    EXPECT_EQ(admission.instead, std::nullopt);
  }
}

TEST(AdmissionTest, NoRequestIsPushedOutWhileThereIsRoom) {
  Snapshot queue = Weighted();
  Wait(queue, 10, 0, T(milliseconds(40)));
  const Admission admission = AdmitOfClass(queue, 2, T(milliseconds(40)));
  EXPECT_TRUE(admission.status.ok());
  EXPECT_EQ(admission.instead, std::nullopt);
}

TEST(AdmissionTest, ALighterMoreUrgentRequestMakesRoomInTime) {
  Snapshot queue = Weighted();
  Wait(queue, 80, 0, T(milliseconds(40)));
  EXPECT_EQ(AdmitOfClass(queue, 1, T(milliseconds(41))).instead, 79);
  ExpectRefused(AdmitOfClass(queue, 0, T(milliseconds(41))).status, absl::StatusCode::kResourceExhausted,
                "no operating point can meet the deadline");
}

TEST(AdmissionTest, ALighterLessUrgentRequestIsOfNoUseToAHeavierOne) {
  Snapshot queue = Weighted();
  Wait(queue, 80, 1, T(milliseconds(40)));
  Wait(queue, 5, 0, T(milliseconds(90)));
  const Admission admission = AdmitOfClass(queue, 1, T(milliseconds(40)));
  EXPECT_EQ(admission.status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(admission.instead, std::nullopt);
}

TEST(AdmissionTest, AnUrgentRequestDoesNotMakeAHeavierOneLate) {
  Snapshot queue = Weighted();
  Wait(queue, 16, 1, T(milliseconds(11)));  // exactly in time, 16 rows at 5.5 ms / 8
  ExpectRefused(AdmitOfClass(queue, 0, T(milliseconds(10))).status, absl::StatusCode::kResourceExhausted,
                "of more weight would miss its deadline");
  EXPECT_TRUE(AdmitOfClass(queue, 1, T(milliseconds(10))).status.ok()) << "of equal weight: the policy's business";
}

TEST(AdmissionTest, ALighterRequestGoesWhereAnUrgentOneWouldMakeAHeavierLate) {
  Snapshot queue = Weighted();
  Wait(queue, 15, 2, T(milliseconds(11)));
  Wait(queue, 1, 0, T(milliseconds(8)));
  const Admission admission = AdmitOfClass(queue, 1, T(milliseconds(10)));
  EXPECT_TRUE(admission.status.ok()) << admission.status;
  EXPECT_EQ(admission.instead, 0);
}

TEST(AdmissionTest, ARequestBehindTheHeavierOneGivesItNoTimeAndStays) {
  Snapshot queue = Weighted();
  Wait(queue, 16, 2, T(milliseconds(11)));
  Wait(queue, 1, 0, T(milliseconds(60)));
  Wait(queue, 1, 0, kNever);
  const Admission admission = AdmitOfClass(queue, 1, T(milliseconds(10)));
  EXPECT_FALSE(admission.status.ok());
  EXPECT_EQ(admission.instead, std::nullopt);
}

TEST(AdmissionTest, ATenantBeyondItsShareMakesRoomForOneWithin) {
  Snapshot queue(ThreePoints());
  queue.tenants = {{.weight = 0.25}, {.weight = 1}};
  queue.max_queue_requests = 3;
  queue.Add(kNever, kAnyPoint, 1, {}, TenantId{1}).Add(kNever, kAnyPoint, 1, {}, TenantId{0});
  queue.Add(kNever, kAnyPoint, 1, {}, TenantId{1});
  const PendingRequest within{.allowed = kAnyPoint, .tenant = TenantId{1}};
  EXPECT_EQ(AdmissionControl().Admit(queue.view(), within).instead, 1);
  const PendingRequest beyond{.allowed = kAnyPoint, .tenant = TenantId{0}};
  EXPECT_FALSE(AdmissionControl().Admit(queue.view(), beyond).status.ok());
}

TEST(PredictedDrainTest, IsTheWorkOfSlotsAndQueueSharedByTheSlots) {
  Snapshot queue(ThreePoints(), 2);
  EXPECT_EQ(PredictedDrain(queue.view()), Duration::zero());
  queue.Occupy(1, T(milliseconds(3)));
  queue.AddMany(8, kNever);
  EXPECT_EQ(PredictedDrain(queue.view()), microseconds(4250));
}

}  // namespace
}  // namespace anybit::scheduler
