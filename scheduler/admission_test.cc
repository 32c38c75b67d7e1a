#include "scheduler/admission.h"

#include <chrono>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "scheduler/testing/snapshot.h"

namespace anybit {
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
  return AdmissionControl().Admit(snapshot.view(), {.deadline = deadline, .allowed = allowed, .rows = rows}).status;
}

void ExpectRefused(const absl::Status& status, absl::StatusCode code, const char* text) {
  EXPECT_EQ(status.code(), code);
  EXPECT_THAT(std::string(status.message()), HasSubstr(text));
}

TEST(AdmissionTest, AdmitsWhatAnIdleSlotServesExactlyInTime) {
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

TEST(AdmissionTest, WaitsForTheFirstSlotThatGetsFree) {
  Snapshot busy(ThreePoints(), 2);
  busy.Occupy(0, T(milliseconds(30))).Occupy(1, T(milliseconds(4)));
  EXPECT_FALSE(Admit(busy, T(milliseconds(5))).ok());
  EXPECT_TRUE(Admit(busy, T(milliseconds(20))).ok());
}

TEST(AdmissionTest, ASlotThatShouldBeFreeLongSinceCountsAsFree) {
  Snapshot late(ThreePoints());
  late.At(T(milliseconds(100))).Occupy(0, T(milliseconds(40)));
  EXPECT_TRUE(Admit(late, T(milliseconds(102))).ok());
}

TEST(AdmissionTest, CountsTheWorkOfEarlierDeadlinesAndNotOfLaterOnes) {
  Snapshot queue(ThreePoints());
  for (int i = 0; i < 64; ++i) queue.Add(T(milliseconds(40)));   // 64 rows at 5.5 ms / 8 are 44 ms
  EXPECT_FALSE(Admit(queue, T(milliseconds(40))).ok());
  EXPECT_TRUE(Admit(queue, T(milliseconds(39))).ok());
  EXPECT_TRUE(Admit(queue, T(milliseconds(45))).ok());
}

TEST(AdmissionTest, WorkThatMayNotRunCheaplyCountsFully) {
  Snapshot queue(ThreePoints());
  for (int i = 0; i < 16; ++i) queue.Add(T(milliseconds(30)), PointSet::Of(kHi));   // 16 rows at 24 ms / 8
  EXPECT_FALSE(Admit(queue, T(milliseconds(48))).ok());
  EXPECT_TRUE(Admit(queue, T(milliseconds(49))).ok());
}

TEST(AdmissionTest, SlotsShareTheWork) {
  Snapshot queue(ThreePoints(), 2);
  for (int i = 0; i < 16; ++i) queue.Add(T(milliseconds(20)), PointSet::Of(kHi));
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

TEST(PredictedDrainTest, IsTheWorkOfSlotsAndQueueSharedByTheSlots) {
  Snapshot queue(ThreePoints(), 2);
  EXPECT_EQ(PredictedDrain(queue.view()), Duration::zero());
  queue.Occupy(1, T(milliseconds(3)));
  for (int i = 0; i < 8; ++i) queue.Add(kNever);
  EXPECT_EQ(PredictedDrain(queue.view()), microseconds(4250));
}

}  // namespace
}  // namespace anybit
