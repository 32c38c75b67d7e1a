#include "scheduler/policies/anybit/look_ahead.h"

#include <chrono>

#include "gtest/gtest.h"
#include "scheduler/testing/snapshot.h"

namespace anybit::scheduler {
namespace {

using std::chrono::milliseconds;
using testing::Snapshot;
using testing::T;

// "hi" takes 10 ms and 2 ms more per further row, "mid" 5 ms and 1 ms; at most 8 rows.
constexpr size_t kHiLevel = 0;
constexpr size_t kMidLevel = 1;

double Ms(int ms) { return Nanoseconds(milliseconds(ms)); }

// Whether all of `snapshot`'s queue and arrivals can be in time behind a batch of `batch_rows` that takes `batch_time`
// and none of the queue.
bool AllInTime(const Snapshot& snapshot, size_t level, double batch_time, int batch_rows = 1) {
  const SchedulerView view = snapshot.view();
  const AnybitOptions options;
  const Outlook outlook(view, options);
  const FloorsShare no_floors;
  const LaterBatches later(outlook, outlook.points()[level], outlook.points()[outlook.NextCheaper(level)], no_floors);
  const RemainingQueue queue{.last = outlook.with_deadline() - 1, .count = outlook.with_deadline()};
  SlotTimes free(view.slots, view.now);
  free[0] = batch_time;
  return anybit::scheduler::AllInTime(outlook, later, queue, free, /*margin=*/0, batch_rows);
}

TEST(LookAheadTest, AnEmptyQueueWithoutArrivalsIsInTime) {
  EXPECT_TRUE(AllInTime(Snapshot(testing::ThreePoints()), kHiLevel, Ms(100)));
}

TEST(LookAheadTest, ARequestIsLateIfTheSlotIsFreeTooLate) {
  Snapshot snapshot(testing::ThreePoints());
  snapshot.Add(T(milliseconds(20)));
  EXPECT_TRUE(AllInTime(snapshot, kHiLevel, Ms(10)));
  EXPECT_FALSE(AllInTime(snapshot, kHiLevel, Ms(15)));
}

TEST(LookAheadTest, LaterBatchesTakeTheirTimeFromBetweenThePointAndTheNextCheaper) {
  Snapshot snapshot(testing::ThreePoints());
  snapshot.Add(T(milliseconds(10)));
  // 5 ms of "mid" and two fifths of the way to the 10 ms of "hi".
  EXPECT_TRUE(AllInTime(snapshot, kHiLevel, Ms(3)));
  EXPECT_FALSE(AllInTime(snapshot, kHiLevel, Ms(4)));
}

TEST(LookAheadTest, AnotherSlotServesTheQueueMeanwhile) {
  Snapshot snapshot(testing::ThreePoints(), /*slots=*/2);
  snapshot.Add(T(milliseconds(20)));
  EXPECT_TRUE(AllInTime(snapshot, kHiLevel, Ms(100)));
}

TEST(LookAheadTest, ALongQueueIsServedInFullBatches) {
  Snapshot snapshot(testing::ThreePoints());
  snapshot.AddMany(40, T(milliseconds(80)));
  // At the level of "mid" eight rows take 5.5 ms of "lo" and two fifths of the way to the 12 ms of "mid": 8.1 ms. Five
  // batches are over 40.5 ms after the first has begun.
  EXPECT_TRUE(AllInTime(snapshot, kMidLevel, Ms(39)));
  EXPECT_FALSE(AllInTime(snapshot, kMidLevel, Ms(40)));
}

TEST(LookAheadTest, ArrivalsThatTheSlotsCannotServeAreLate) {
  Snapshot snapshot(testing::ThreePoints());
  snapshot.arrivals.objective = milliseconds(50);
  const auto expect = [&](double rate) {
    snapshot.arrivals.fast = snapshot.arrivals.medium = snapshot.arrivals.slow = rate;
    return AllInTime(snapshot, kHiLevel, Ms(10));
  };
  EXPECT_TRUE(expect(5));
  EXPECT_FALSE(expect(50)) << "eight rows take 16.8 ms, so an objective serves 24";
}

}  // namespace
}  // namespace anybit::scheduler
