#include "scheduler/latency/latency_model.h"

#include <chrono>
#include <random>

#include "gtest/gtest.h"
#include "scheduler/testing/snapshot.h"

namespace anybit::scheduler {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::kHi;
using testing::kLo;
using testing::kMid;
using testing::T;
using testing::ThreePoints;

// `count` batches of one row at "hi" (profiled at 10 ms) that took `actual`.
void Feed(LatencyModel& model, int count, Duration actual, MonoTime at = T(seconds(1))) {
  for (int i = 0; i < count; ++i) model.Observe(kHi, 1, actual, at);
}

TEST(LatencyModelTest, PredictsTheProfileBeforeAnythingRan) {
  const LatencyModel model(ThreePoints());
  EXPECT_EQ(model.table().Predict(kHi, 1), milliseconds(10));
  EXPECT_EQ(model.table().Predict(kMid, 8), milliseconds(12));
}

// Like ThreePoints; at rest everything takes 3 ms more.
Profile WithRest() {
  Profile profile = ThreePoints();
  profile.rested = profile.latency;
  for (std::vector<Duration>& of_point : profile.rested) {
    for (Duration& latency : of_point) latency += milliseconds(3);
  }
  return profile;
}

TEST(LatencyModelTest, PredictsTheProfileOfTheStateThatTheMachineIsIn) {
  LatencyModel model(WithRest());
  EXPECT_EQ(model.table().Predict(kHi, 1), milliseconds(10));
  model.AtRest(true);
  EXPECT_EQ(model.table().Predict(kHi, 1), milliseconds(13));
  EXPECT_EQ(model.table().Typical(kMid, 8), milliseconds(15));
  EXPECT_EQ(model.table().RowCost(PointSet::Of(kLo)), (ThreePoints().At(kLo, 8) + milliseconds(3)) / 8);
  model.AtRest(false);
  EXPECT_EQ(model.table().Predict(kHi, 1), milliseconds(10));
}

TEST(LatencyModelTest, WhatABatchAtRestTookSaysNothingAgainstTheBusyProfile) {
  LatencyModel model(WithRest());
  for (int i = 0; i < 64; ++i) {
    const bool rested = i % 2 == 0;
    model.Observe(kHi, 1, milliseconds(rested ? 13 : 10), T(seconds(1)), Duration::zero(), true, rested);
  }
  EXPECT_EQ(model.table().typical_permille, 1000);
  EXPECT_EQ(model.table().Predict(kHi, 1), milliseconds(10));
  model.AtRest(true);
  EXPECT_EQ(model.table().Predict(kHi, 1), milliseconds(13));
}

TEST(LatencyModelTest, AProfileOfOneStateIsForBoth) {
  LatencyModel model(ThreePoints());
  model.AtRest(true);
  EXPECT_EQ(model.table().Predict(kHi, 1), milliseconds(10));
}

TEST(LatencyModelTest, ASlowMachineSlowsThePredictionOfEveryPoint) {
  LatencyModel model(ThreePoints());
  Feed(model, 64, milliseconds(15));
  EXPECT_EQ(model.table().Predict(kHi, 1), milliseconds(15));
  EXPECT_EQ(model.table().Predict(kLo, 1), milliseconds(3));
}

TEST(LatencyModelTest, AFastMachineQuickensThePrediction) {
  LatencyModel model(ThreePoints());
  Feed(model, 64, milliseconds(5));
  EXPECT_EQ(model.table().Predict(kMid, 1), std::chrono::microseconds(2500));
}

TEST(LatencyModelTest, SingleOutliersDoNotMoveThePrediction) {
  LatencyModel model(ThreePoints());
  Feed(model, 60, milliseconds(10));
  Feed(model, 2, seconds(2));  // a stopped process, not a slow machine
  EXPECT_EQ(model.table().Predict(kHi, 1), milliseconds(10));
}

TEST(LatencyModelTest, AnotherRegimeIsLearntFromThreeBatchesOfFive) {
  LatencyModel model(ThreePoints());
  Feed(model, 64, milliseconds(10));
  Feed(model, 2, milliseconds(100));
  EXPECT_EQ(model.table().Predict(kHi, 1), milliseconds(10));
  Feed(model, 1, milliseconds(100));
  EXPECT_EQ(model.table().Predict(kHi, 1), milliseconds(100));
  Feed(model, 2, milliseconds(5));
  EXPECT_EQ(model.table().Predict(kHi, 1), milliseconds(100));
  Feed(model, 3, milliseconds(5));
  EXPECT_EQ(model.table().Predict(kHi, 1), milliseconds(5));
}

TEST(LatencyModelTest, AShortStallIsForgottenAsFastAsItWasLearnt) {
  LatencyModel model(ThreePoints());
  Feed(model, 64, milliseconds(10));
  Feed(model, 3, milliseconds(100));
  Feed(model, 3, milliseconds(10));
  EXPECT_EQ(model.table().Predict(kHi, 1), milliseconds(10));
}

TEST(LatencyModelTest, AProfileWrongByTenIsCorrectedByTheFirstBatches) {
  LatencyModel model(ThreePoints());
  Feed(model, 2, milliseconds(100));
  EXPECT_EQ(model.table().Predict(kHi, 1), milliseconds(100));
}

TEST(LatencyModelTest, PredictsForDeadlinesAboveAndForGivingUpBelowTheScatter) {
  LatencyModel model(ThreePoints());
  for (int i = 0; i < 60; ++i) Feed(model, 1, milliseconds(8 + i % 5));  // 8 .. 12 ms, every one as often
  EXPECT_EQ(model.table().typical_permille, 1000);
  EXPECT_EQ(model.table().Predict(kHi, 1), milliseconds(12));
  EXPECT_EQ(model.table().PredictLeast(kHi, 1), milliseconds(8));
  EXPECT_EQ(model.table().FastestLeast(testing::kAnyPoint, 1), std::chrono::microseconds(1600));
  EXPECT_EQ(model.table().RowCost(PointSet::Of(kHi)), milliseconds(3))
      << "what a row costs in the long run is the median";
}

TEST(LatencyModelTest, ALongTailWithoutScatterStillHoldsForAllButOneInTwenty) {
  LatencyModel model(ThreePoints());
  for (int i = 0; i < 60; ++i) Feed(model, 1, i % 10 == 9 ? milliseconds(17) : milliseconds(10));
  EXPECT_EQ(model.table().Predict(kHi, 1), milliseconds(17));
}

// Batches of one row: "hi" (profiled at 10 ms) and "lo" (2 ms) in turn.
void FeedInTurn(LatencyModel& model, int count, Duration hi, Duration lo, MonoTime at = T(seconds(1))) {
  for (int i = 0; i < count; ++i) {
    model.Observe(kHi, 1, hi, at);
    model.Observe(kLo, 1, lo, at);
  }
}

TEST(LatencyModelTest, APointThatSlowsDownMoreThanTheOthersIsCorrectedByItself) {
  LatencyModel model(ThreePoints());
  Feed(model, 20, milliseconds(10));
  FeedInTurn(model, 20, milliseconds(10), milliseconds(3));
  EXPECT_EQ(model.own_permille(kLo), 1500);
  EXPECT_EQ(model.table().Predict(kHi, 1), milliseconds(10));
  EXPECT_EQ(model.table().Predict(kLo, 1), milliseconds(3));
  EXPECT_EQ(model.table().Predict(kMid, 1), milliseconds(5)) << "of which nothing is known";
}

// Batches of one row of "hi" that compute as profiled and take `overhead` more.
void FeedOverhead(LatencyModel& model, int count, Duration overhead, MonoTime at = T(seconds(1))) {
  for (int i = 0; i < count; ++i) model.Observe(kHi, 1, milliseconds(10), at, overhead);
}

TEST(LatencyModelTest, TheAdditiveTimeIsTheSameForAllPointsAndSizes) {
  LatencyModel model(ThreePoints());
  FeedOverhead(model, 64, milliseconds(1));
  EXPECT_EQ(model.table().typical_permille, 1000);
  EXPECT_EQ(model.table().Predict(kHi, 1), milliseconds(11));
  EXPECT_EQ(model.table().Predict(kLo, 1), milliseconds(3));
  EXPECT_EQ(model.table().Predict(kMid, 8), milliseconds(13));
  EXPECT_EQ(model.table().PredictLeast(kLo, 1), milliseconds(2)) << "it may be over sooner";
  EXPECT_EQ(model.table().RowCost(PointSet::Of(kHi)), Duration(milliseconds(25)) / 8);
  model.Forget(T(seconds(12)));
  EXPECT_EQ(model.table().Predict(kHi, 1), milliseconds(10));
}

TEST(LatencyModelTest, PredictsAnOverheadThatAllButOneInTwentyKeepTo) {
  LatencyModel model(ThreePoints());
  for (int i = 0; i < 60; ++i) FeedOverhead(model, 1, milliseconds(i % 10 == 9 ? 7 : 1));
  EXPECT_EQ(model.typical_additive(), milliseconds(1));
  EXPECT_EQ(model.table().Predict(kHi, 1), milliseconds(17));
  EXPECT_EQ(model.table().Typical(kHi, 1), milliseconds(11));
  EXPECT_EQ(model.table().RowCost(PointSet::Of(kHi)), Duration(milliseconds(25)) / 8)
      << "in the long run it is the median";
}

TEST(LatencyModelTest, OverheadMakesSmallBatchesCostly) {
  Profile profile = ThreePoints();
  for (int rows = 1; rows <= 8; ++rows) profile.latency[0][rows - 1] = milliseconds(10) * rows + milliseconds(rows > 1);
  LatencyModel model(profile);
  const auto efficient = [&] { return model.table().ranking.points()[0].efficient[8]; };
  EXPECT_EQ(efficient(), 1) << "by the profile alone, each row by itself";
  FeedOverhead(model, 20, milliseconds(2));
  EXPECT_EQ(efficient(), 8);
}

TEST(LatencyModelTest, AnOverheadOfYearsBreaksNoPrediction) {
  LatencyModel model(ThreePoints());
  FeedOverhead(model, 20, Duration::max());
  EXPECT_GT(model.table().Predict(kHi, 8), Duration::zero());
  EXPECT_LE(model.table().Predict(kHi, 8), std::chrono::hours(2));
  FeedOverhead(model, 64, -milliseconds(1));
  EXPECT_EQ(model.table().Predict(kHi, 1), milliseconds(10));
}

// What interrupts the machine takes a small batch twice its time and a large one hardly more than its own.
TEST(LatencyModelTest, SmallBatchesDoNotSlowDownThePointThatRunsThem) {
  LatencyModel model(ThreePoints());
  for (int i = 0; i < 64; ++i) model.Observe(kLo, 1, milliseconds(4), T(seconds(1)));
  for (int i = 0; i < 30; ++i) {
    model.Observe(kHi, 8, milliseconds(25), T(seconds(1)));
    model.Observe(kLo, 1, milliseconds(4), T(seconds(1)));
  }
  EXPECT_EQ(model.own_permille(kHi), 1000);
  EXPECT_EQ(model.own_permille(kLo), 1000);
}

// "hi" and "lo" in turn, `lo_warm` of "lo" one after the other: the first of each is cold, and takes half as much more.
void FeedCold(LatencyModel& model, int turns, int lo_warm) {
  for (int i = 0; i < turns; ++i) {
    model.Observe(kHi, 1, milliseconds(10), T(seconds(1)));
    model.Observe(kLo, 1, milliseconds(3), T(seconds(1)), Duration::zero(), /*warm=*/false);
    for (int j = 0; j < lo_warm; ++j) model.Observe(kLo, 1, milliseconds(2), T(seconds(1)));
  }
}

TEST(LatencyModelTest, ColdBatchesDoNotSlowDownTheirPoint) {
  LatencyModel model(ThreePoints());
  Feed(model, 20, milliseconds(10));
  FeedCold(model, 20, /*lo_warm=*/1);
  EXPECT_EQ(model.own_permille(kLo), 1000);
  EXPECT_GE(model.table().Predict(kLo, 1), milliseconds(3)) << "deadlines are kept by such batches too";
}

TEST(LatencyModelTest, APointThatNeverRunsTwiceInARowIsJudgedByItsColdBatches) {
  LatencyModel model(ThreePoints());
  Feed(model, 20, milliseconds(10));
  FeedCold(model, 20, /*lo_warm=*/0);
  EXPECT_EQ(model.own_permille(kLo), 1500);
  FeedCold(model, 3, /*lo_warm=*/1);
  EXPECT_EQ(model.own_permille(kLo), 1000) << "until there is better to judge it by";
}

TEST(LatencyModelTest, APointIsJudgedByOthersNotByItsOwnCorrection) {
  LatencyModel model(ThreePoints(), {.own_memory = seconds(60)});
  Feed(model, 20, milliseconds(10));
  FeedInTurn(model, 20, milliseconds(10), milliseconds(3));
  ASSERT_EQ(model.own_permille(kLo), 1500);
  // Now it is as profiled, but nobody else runs batches as small.
  for (int i = 0; i < 40; ++i) {
    model.Observe(kHi, 8, milliseconds(24), T(seconds(50)));
    model.Observe(kLo, 1, milliseconds(2), T(seconds(50)));
  }
  model.Forget(T(seconds(61) + Duration(1)));
  EXPECT_EQ(model.own_permille(kLo), 1000) << "what was learnt then is not learnt anew";
}

TEST(LatencyModelTest, AMachineThatSlowsDownWhileOnePointRunsSlowsAll) {
  LatencyModel model(ThreePoints());
  FeedInTurn(model, 20, milliseconds(10), milliseconds(2));
  Feed(model, 5, milliseconds(20));
  EXPECT_EQ(model.own_permille(kHi), 1000);
  EXPECT_EQ(model.table().Predict(kLo, 1), milliseconds(4));
}

TEST(LatencyModelTest, APointThatRunsAloneHasNoCorrectionOfItsOwnHoweverLong) {
  LatencyModel model(ThreePoints());
  for (int i = 0; i < 3000; ++i) Feed(model, 1, milliseconds(i % 7 < 3 ? 6 : 13 + i % 5));
  EXPECT_EQ(model.own_permille(kHi), 1000);
  EXPECT_GE(model.table().typical_permille, 600);
  EXPECT_LE(model.table().typical_permille, 1700);
}

TEST(LatencyModelTest, CorrectionsBesideEachOtherStayWhicheverPointRunsMost) {
  LatencyModel model(ThreePoints());
  Feed(model, 20, milliseconds(10));
  FeedInTurn(model, 20, milliseconds(10), milliseconds(3));
  for (int i = 0; i < 100; ++i) model.Observe(kLo, 1, milliseconds(3), T(seconds(2)));
  EXPECT_EQ(model.own_permille(kLo), 1000);
  EXPECT_EQ(model.table().typical_permille, 1500);
  EXPECT_NEAR(model.own_permille(kHi), 667, 1);
  EXPECT_EQ(model.table().Predict(kLo, 1), milliseconds(3));
  EXPECT_NEAR(ToSeconds(model.table().Predict(kHi, 1)), 10e-3, 0.05e-3);
  EXPECT_EQ(model.table().Predict(kMid, 1), std::chrono::microseconds(7500))
      << "of which nothing is known but the machine";
}

// Points that change places by any factor, in any order: whatever is concluded, there is always something left to
// conclude it from.
TEST(LatencyModelTest, AnyHistoryLeavesAPrediction) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    std::mt19937_64 random(seed);
    LatencyModel model(ThreePoints());
    int64_t milli = 1000;
    PointId point = kHi;
    for (int i = 0; i < 500; ++i) {
      if (random() % 8 == 0) point = ToPointId(static_cast<int>(random() % 3));
      if (random() % 16 == 0) milli = 100 + static_cast<int64_t>(random() % 4000);
      const int64_t noise = 900 + static_cast<int64_t>(random() % 200);
      model.Observe(point, 1, model.profile().At(point, 1) * milli * noise / 1000000 * (1 + ToIndex(point)),
                    T(milliseconds(i)));
      ASSERT_GT(model.table().Predict(point, 1), Duration::zero());
      ASSERT_LT(model.table().Predict(point, 8), std::chrono::hours(1));
    }
  }
}

TEST(LatencyModelTest, NoiseGivesNoPointACorrectionOfItsOwn) {
  LatencyModel model(ThreePoints());
  for (int i = 0; i < 60; ++i) FeedInTurn(model, 1, milliseconds(8 + i % 5), Duration(milliseconds(8 + i * 3 % 5)) / 5);
  EXPECT_EQ(model.own_permille(kHi), 1000);
  EXPECT_EQ(model.own_permille(kLo), 1000);
}

TEST(LatencyModelTest, APointsOwnCorrectionOutlivesTheMachinesAndIsForgottenToo) {
  LatencyModel model(ThreePoints(), {.memory = seconds(10), .own_memory = seconds(60)});
  Feed(model, 20, milliseconds(10));
  FeedInTurn(model, 20, milliseconds(10), milliseconds(3));
  model.Forget(T(seconds(61)));
  EXPECT_EQ(model.table().Predict(kLo, 1), milliseconds(3));
  model.Forget(T(seconds(61) + Duration(1)));
  EXPECT_EQ(model.table().Predict(kLo, 1), milliseconds(2));
}

TEST(LatencyModelTest, PointsAreUntriedUntilFourBatchesOfTheirOwn) {
  LatencyModel model(ThreePoints());
  EXPECT_TRUE(model.table().untried.empty()) << "a profile that nothing is known against is believed";
  Feed(model, 20, milliseconds(10));
  EXPECT_EQ(model.table().untried, PointSet::Of(kMid).With(kLo));
  FeedInTurn(model, 4, milliseconds(10), milliseconds(2));
  EXPECT_EQ(model.table().untried, PointSet::Of(kMid));
}

TEST(LatencyModelTest, RanksPointsByTheirCorrectedLatencies) {
  LatencyModel model(ThreePoints());
  EXPECT_EQ(model.table().ranking.by_value().front(), 2u) << "lo";
  Feed(model, 20, milliseconds(10));
  FeedInTurn(model, 20, milliseconds(10), milliseconds(11));  // lo is no faster than hi any more
  EXPECT_NE(model.table().ranking.points()[2].dominated_by, 0u);
  EXPECT_NE(model.table().ranking.by_value().front(), 2u);
}

TEST(LatencyModelTest, ObservationsLeaveTheWindow) {
  LatencyModel model(ThreePoints(), {.window = 5});
  Feed(model, 5, milliseconds(11));
  EXPECT_EQ(model.table().Predict(kHi, 1), milliseconds(11));
  Feed(model, 5, milliseconds(10));
  EXPECT_EQ(model.table().Predict(kHi, 1), milliseconds(10));
}

TEST(LatencyModelTest, MeasurementsOlderThanTheMemoryAreForgotten) {
  LatencyModel model(ThreePoints(), {.memory = seconds(10)});
  Feed(model, 64, milliseconds(90), T(seconds(1)));
  model.Forget(T(seconds(11)));
  EXPECT_EQ(model.table().Predict(kHi, 1), milliseconds(90));
  model.Forget(T(seconds(11) + Duration(1)));
  EXPECT_EQ(model.table().Predict(kHi, 1), milliseconds(10));
}

TEST(LatencyModelTest, OneOutlierAmongFewBatchesSetsNeitherTheMedianNorTheTail) {
  for (int before = 0; before < 19; ++before) {
    SCOPED_TRACE(before);
    LatencyModel model(ThreePoints());
    Feed(model, before, milliseconds(10));
    Feed(model, 1, milliseconds(400));
    EXPECT_EQ(model.table().Predict(kHi, 1), milliseconds(10));
  }
}

TEST(LatencyModelTest, TheTailOfShortBatchesDoesNotScaleToLongOnes) {
  LatencyModel model(ThreePoints());
  for (int i = 0; i < 60; ++i) {
    model.Observe(kLo, 1, milliseconds(i % 10 == 9 ? 12 : 2), T(seconds(1)));  // one in ten is interrupted for 10 ms
  }
  EXPECT_EQ(model.table().Predict(kLo, 1), milliseconds(12));
  EXPECT_EQ(model.table().Predict(kHi, 8), milliseconds(34)) << "not six times 24 ms";
}

TEST(LatencyModelTest, InterruptionsOfMostShortBatchesDoNotSlowDownLongOnes) {
  LatencyModel model(ThreePoints());
  for (int i = 0; i < 60; ++i) {
    if (i % 4 == 0) model.Observe(kHi, 8, milliseconds(24), T(seconds(1)));
    if (i % 4 != 0) model.Observe(kLo, 1, milliseconds(i % 4 == 1 ? 2 : 6), T(seconds(1)));
  }
  EXPECT_EQ(model.table().typical_permille, 1000);
  EXPECT_EQ(model.table().Predict(kHi, 8), milliseconds(28));
  EXPECT_EQ(model.table().Predict(kLo, 1), milliseconds(6));
}

TEST(LatencyModelTest, TheTailOfAPredictionIsLimited) {
  LatencyModel model(ThreePoints());
  model.LimitTail(milliseconds(4));
  for (int i = 0; i < 60; ++i) Feed(model, 1, i % 10 == 9 ? milliseconds(90) : milliseconds(10));
  EXPECT_EQ(model.table().Predict(kHi, 1), milliseconds(14));
}

TEST(LatencyModelTest, HopesForTheProfileOrTheBestOfTheLastMinute) {
  LatencyModel model(ThreePoints(), {.hope_memory = seconds(60)});
  EXPECT_EQ(model.table().FastestHoped(testing::kAnyPoint, 1), milliseconds(2));
  Feed(model, 10, milliseconds(5));
  EXPECT_EQ(model.table().FastestHoped(testing::kAnyPoint, 1), milliseconds(1));
  Feed(model, 64, milliseconds(400), T(seconds(60)));
  EXPECT_EQ(model.table().FastestHoped(testing::kAnyPoint, 1), milliseconds(1));
  Feed(model, 64, milliseconds(400), T(seconds(62)));
  EXPECT_EQ(model.table().FastestHoped(testing::kAnyPoint, 1), milliseconds(2))
      << "the profile, which is never given up";
}

TEST(LatencyModelTest, ASuccessfulTrialReplacesAllMeasurements) {
  LatencyModel model(ThreePoints());
  Feed(model, 30, milliseconds(10));
  FeedInTurn(model, 30, milliseconds(400), milliseconds(800));
  ASSERT_GT(model.table().Predict(kLo, 1), milliseconds(700));
  model.ObserveSuccess(kHi, 1, milliseconds(11), T(seconds(1)));
  EXPECT_EQ(model.table().Predict(kHi, 1), milliseconds(11));
  EXPECT_EQ(model.table().Predict(kLo, 1), std::chrono::microseconds(2200))
      << "own corrections were of the same belief";
}

TEST(LatencyModelTest, NeitherAStoppedNorAnInstantBatchBreaksThePrediction) {
  LatencyModel model(ThreePoints());
  Feed(model, 64, Duration::max());
  EXPECT_GT(model.table().Predict(kHi, 8), Duration::zero());
  EXPECT_LE(model.table().Predict(kHi, 8), std::chrono::hours(1));
  Feed(model, 64, Duration::zero());
  EXPECT_GT(model.table().Predict(kHi, 1), Duration::zero());
}

TEST(LatencyModelTest, TheFastestPointIsFoundByMeasurementNotByOrder) {
  Profile profile = ThreePoints();
  profile.latency[ToIndex(kHi)][3] = milliseconds(1);  // faster than every cheaper point, at four rows only
  const LatencyModel model(profile);
  EXPECT_EQ(model.table().Fastest(testing::kAnyPoint, 4), milliseconds(1));
  EXPECT_EQ(model.table().Fastest(testing::kAnyPoint, 3), milliseconds(3));
  EXPECT_EQ(model.table().Fastest(PointSet::Of(kMid), 1), milliseconds(5));
  EXPECT_EQ(model.table().Fastest(PointSet(), 1), Duration::max());
}

TEST(LatencyModelTest, ARowCostsItsShareOfTheBestBatch) {
  const LatencyModel model(ThreePoints());
  EXPECT_EQ(model.table().RowCost(testing::kAnyPoint), Duration(std::chrono::microseconds(5500)) / 8);
  EXPECT_EQ(model.table().RowCost(PointSet::Of(kHi)), milliseconds(24) / 8);
}

}  // namespace
}  // namespace anybit::scheduler
