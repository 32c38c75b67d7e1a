#include "scheduler/feedback/edge_backlog.h"

#include <chrono>

#include "gtest/gtest.h"

namespace anybit::scheduler {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kObjective(80);  // a backlog of 80 / kToleranceDivisor is tolerated
constexpr Duration kTolerated = kObjective / EdgeBacklog::kToleranceDivisor;

MonoTime T(Duration since_start) { return MonoTime(since_start); }

TEST(EdgeBacklogTest, SlotsDoNotWaitBeforeEnoughRefusalsWereMeasured) {
  EdgeBacklog backlog;
  for (size_t i = 0; i + 1 < EdgeBacklog::kWindow; ++i)
    backlog.Observe(milliseconds(50), T(milliseconds(100)), kObjective);
  EXPECT_EQ(backlog.WaitUntil(kObjective, T(milliseconds(100))), MonoTime::min());
  backlog.Observe(milliseconds(50), T(milliseconds(100)), kObjective);
  EXPECT_EQ(backlog.WaitUntil(kObjective, T(milliseconds(100))), T(milliseconds(150)));
}

TEST(EdgeBacklogTest, TheBacklogIsTheQuickestOfTheLastRefusals) {
  EdgeBacklog backlog;
  for (const int took : {5, 70, 30, 90, 40}) backlog.Observe(milliseconds(took), T(milliseconds(100)), kObjective);
  EXPECT_EQ(backlog.WaitUntil(kObjective, T(milliseconds(100))), T(milliseconds(130)));
  backlog.Observe(kTolerated, T(milliseconds(110)), kObjective);
  EXPECT_EQ(backlog.WaitUntil(kObjective, T(milliseconds(100))), MonoTime::min()) << "one quick refusal is enough";
}

TEST(EdgeBacklogTest, SlotsWaitTwoObjectivesAtMostWhateverIsMeasured) {
  EdgeBacklog backlog;
  for (int i = 0; i < 10; ++i) backlog.Observe(seconds(5), T(seconds(10)), kObjective);
  EXPECT_EQ(backlog.WaitUntil(kObjective, T(seconds(10))), T(seconds(10) + 2 * kObjective));
}

TEST(EdgeBacklogTest, ABacklogWithoutNewObservationsCountsAsWorkedOff) {
  EdgeBacklog backlog;
  for (int i = 0; i < 4; ++i) backlog.Observe(milliseconds(20), T(seconds(1)), kObjective);
  EXPECT_LT(backlog.WaitUntil(kObjective, T(seconds(2))), T(seconds(2)));
}

TEST(EdgeBacklogTest, RefusalsThatHungForSecondsMakeSlotsWaitTwoObjectivesMoreAtMost) {
  EdgeBacklog backlog;
  for (int i = 0; i < 10; ++i) backlog.Observe(seconds(10), T(seconds(1)), kObjective);
  EXPECT_EQ(backlog.WaitUntil(kObjective, T(seconds(5))), T(seconds(1) + 2 * kObjective));
}

// Refusals of equal length, long enough for the smoothed backlog to be theirs.
void ObserveMany(EdgeBacklog& backlog, Duration took, MonoTime at) {
  for (int i = 0; i < 20 * EdgeBacklog::kSmoothingDivisor; ++i) backlog.Observe(took, at, kObjective);
}

constexpr Duration kYielding = kObjective / EdgeBacklog::kYieldDivisor;

TEST(EdgeBacklogTest, BatchesYieldWhileRefusalsAreSlowOnAverageAndUntilTheyAreTwiceAsQuick) {
  EdgeBacklog backlog;
  EXPECT_EQ(backlog.Priority(kObjective, T(seconds(1))), BatchPriority::kEqual);
  ObserveMany(backlog, kYielding, T(seconds(1)));
  EXPECT_EQ(backlog.Priority(kObjective, T(seconds(1))), BatchPriority::kEqual);
  ObserveMany(backlog, kYielding * 5 / 4, T(seconds(1)));
  EXPECT_EQ(backlog.Priority(kObjective, T(seconds(1))), BatchPriority::kBelowEdge);
  ObserveMany(backlog, kYielding * 3 / 4, T(seconds(1)));
  EXPECT_EQ(backlog.Priority(kObjective, T(seconds(1))), BatchPriority::kBelowEdge);
  ObserveMany(backlog, kYielding / 4, T(seconds(1)));
  EXPECT_EQ(backlog.Priority(kObjective, T(seconds(1))), BatchPriority::kEqual);
}

TEST(EdgeBacklogTest, OneRefusalThatHangsMakesNoBatchYield) {
  EdgeBacklog backlog;
  ObserveMany(backlog, Duration::zero(), T(seconds(1)));
  backlog.Observe(kYielding * EdgeBacklog::kSmoothingDivisor, T(seconds(1)), kObjective);
  EXPECT_EQ(backlog.Priority(kObjective, T(seconds(1))), BatchPriority::kEqual);
}

TEST(EdgeBacklogTest, BatchesYieldNoLongerThanTheBacklogIsConfirmed) {
  EdgeBacklog backlog;
  ObserveMany(backlog, kObjective, T(seconds(1)));
  EXPECT_EQ(backlog.Priority(kObjective, T(seconds(1) + EdgeBacklog::kMaxWaitObjectives * kObjective)),
            BatchPriority::kBelowEdge);
  EXPECT_EQ(backlog.Priority(kObjective, T(seconds(1) + EdgeBacklog::kMaxWaitObjectives * kObjective + Duration(1))),
            BatchPriority::kEqual);
}

}  // namespace
}  // namespace anybit::scheduler
