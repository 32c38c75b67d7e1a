#include "scheduler/admission/early_refusal.h"

#include <chrono>

#include "gtest/gtest.h"
#include "scheduler/admission/admission.h"
#include "scheduler/testing/snapshot.h"

namespace anybit::scheduler {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using testing::kAnyPoint;
using testing::Snapshot;
using testing::T;
using testing::ThreePoints;

// A busy slot and `waiting` requests whose deadlines are 100 us apart, the first at 60 ms. The fastest point takes
// 687.5 us a row.
Snapshot Queue(int waiting) {
  Snapshot snapshot(ThreePoints());
  snapshot.Occupy(0, T(milliseconds(5)));
  for (int i = 0; i < waiting; ++i) snapshot.Add(T(milliseconds(60) + i * microseconds(100)));
  return snapshot;
}

TEST(EarlyRefusalTest, RefusesNoRequestThatAdmissionWouldAccept) {
  const AdmissionControl admission;
  int refused = 0;
  for (int waiting = 0; waiting < 400; ++waiting) {
    const Snapshot snapshot = Queue(waiting);
    EarlyRefusal early;
    early.Publish(snapshot.view(), Duration::zero(), snapshot.now);
    for (int deadline = 1; deadline < 600; deadline += 7) {
      if (!early.Refuses(snapshot.now, T(milliseconds(deadline)))) continue;
      ++refused;
      for (const PointSet allowed : {kAnyPoint, PointSet::Of(testing::kHi), PointSet::Of(testing::kMid)}) {
        const MonoTime run_by = T(milliseconds(deadline));
        const PendingRequest request{.answer_by = run_by, .run_by = run_by, .allowed = allowed};
        EXPECT_FALSE(admission.Admit(snapshot.view(), request).status.ok()) << waiting << " waiting, " << deadline;
      }
    }
  }
  EXPECT_GT(refused, 1000);
}

TEST(EarlyRefusalTest, ACallIsJudgedByItsDeadlineLessTheDeliveryTime) {
  const Snapshot snapshot = Queue(400);  // batches must end by 60 to 100 ms
  const Duration margin = milliseconds(30);
  EarlyRefusal early;
  early.Publish(snapshot.view(), margin, snapshot.now);
  EXPECT_EQ(early.Refuses(snapshot.now, T(milliseconds(99))), std::nullopt)
      << "its batch must end by 74 ms, before most others";
  EXPECT_TRUE(early.Refuses(snapshot.now, T(milliseconds(135))).has_value()) << "by 105 ms, behind all others";
}

TEST(EarlyRefusalTest, RefusesACallThatIsLateBehindTheWholeQueue) {
  const Snapshot snapshot = Queue(200);  // 137.5 ms of work behind the 5 ms that run, 48 ms may be given up
  EarlyRefusal early;
  early.Publish(snapshot.view(), Duration::zero(), snapshot.now);
  EXPECT_EQ(early.Refuses(snapshot.now, T(milliseconds(61))), std::nullopt) << "only the first quarter is before it";
  EXPECT_EQ(early.Refuses(snapshot.now, T(milliseconds(96))), std::nullopt);
  EXPECT_EQ(early.Refuses(snapshot.now, T(milliseconds(95))), PredictedDrain(snapshot.view()));
}

TEST(EarlyRefusalTest, TheReasonIsTheOneThatAdmissionWouldGive) {
  const AdmissionControl admission;
  Snapshot snapshot = Queue(200);
  const MonoTime late = T(milliseconds(95));
  for (const int places : {201, 200, 1}) {
    snapshot.max_queue_requests = places;
    EarlyRefusal early;
    early.Publish(snapshot.view(), Duration::zero(), snapshot.now);
    ASSERT_TRUE(early.Refuses(snapshot.now, late).has_value());
    const PendingRequest request{.answer_by = late, .run_by = late, .allowed = kAnyPoint};
    EXPECT_EQ(early.reason(), admission.Admit(snapshot.view(), request).reason) << places;
    EXPECT_EQ(early.reason(), places > 200 ? ShedReason::kDeadline : ShedReason::kQueueFull) << places;
  }
}

TEST(EarlyRefusalTest, ThePublishedWorkShrinksAsTimePasses) {
  const Snapshot snapshot = Queue(400);
  EarlyRefusal early;
  early.Publish(snapshot.view(), Duration::zero(), snapshot.now);
  EXPECT_TRUE(early.Refuses(snapshot.now, T(milliseconds(160))).has_value());
  EXPECT_FALSE(early.Refuses(T(milliseconds(200)), T(milliseconds(360))).has_value());
}

TEST(EarlyRefusalTest, SlotsThatWaitAreAsGoodAsBusyOnes) {
  Snapshot idle(ThreePoints());
  idle.AddMany(1000, T(milliseconds(60)));
  EarlyRefusal early;
  early.Publish(idle.view(), Duration::zero(), idle.now + milliseconds(40));
  EXPECT_TRUE(early.Refuses(idle.now, T(milliseconds(100))).has_value());
}

TEST(EarlyRefusalTest, RefusesNothingWithoutADeadlineOrWithAPastOne) {
  const Snapshot snapshot = Queue(10000);
  EarlyRefusal early;
  early.Publish(snapshot.view(), Duration::zero(), snapshot.now);
  EXPECT_TRUE(early.Refuses(snapshot.now, T(milliseconds(5000))).has_value());
  EXPECT_FALSE(early.Refuses(snapshot.now, kNever).has_value());
  EXPECT_FALSE(early.Refuses(T(milliseconds(6000)), T(milliseconds(5000))).has_value());
}

TEST(EarlyRefusalTest, RefusesNothingBesideAnIdleSlotOrWhereWeightsVaryOrWhenCleared) {
  const auto refuses = [](const Snapshot& snapshot, bool cleared = false) {
    EarlyRefusal early;
    early.Publish(snapshot.view(), Duration::zero(), snapshot.now);
    if (cleared) early.Clear();
    return early.Refuses(snapshot.now, T(milliseconds(5000))).has_value();
  };
  Snapshot idle(ThreePoints(), 2);
  idle.Occupy(0, T(milliseconds(5)));
  idle.AddMany(10000, T(milliseconds(60)));
  EXPECT_FALSE(refuses(idle));
  Snapshot weighted = Queue(10000);
  weighted.class_weights = {1, 2};
  EXPECT_FALSE(refuses(weighted));
  EXPECT_FALSE(refuses(Queue(10000), /*cleared=*/true));
  EXPECT_TRUE(refuses(Queue(10000)));
}

}  // namespace
}  // namespace anybit::scheduler
