#include "scheduler/admission/trial_gate.h"

#include <chrono>

#include "gtest/gtest.h"
#include "scheduler/testing/snapshot.h"

namespace anybit::scheduler {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::T;

constexpr MonoTime kStart = T(seconds(100));
constexpr bool kHopeful = true;

// A gate through which one request of each kind just went.
TrialGate Fresh() {
  TrialGate gate(seconds(1));
  for (const bool hopeful : {true, false}) {
    gate.Start(kStart, hopeful);
    gate.End(kStart, /*in_time=*/true);
  }
  return gate;
}

TEST(TrialGateTest, IsOpenToHopefulRequestsUntilATrialFails) {
  TrialGate gate = Fresh();
  EXPECT_TRUE(gate.IsOpen(kStart, kHopeful));
  gate.Start(kStart, kHopeful);
  gate.End(kStart, /*in_time=*/false);
  EXPECT_FALSE(gate.IsOpen(kStart, kHopeful));
}

TEST(TrialGateTest, OpensAgainAfterOneRefusalOrOneInterval) {
  TrialGate gate = Fresh();
  gate.Start(kStart, kHopeful);
  gate.End(kStart, /*in_time=*/false);
  EXPECT_FALSE(gate.IsOpen(kStart + seconds(1) - Duration(1), kHopeful));
  EXPECT_TRUE(gate.IsOpen(kStart + seconds(1), kHopeful));
  gate.CountRefusal();
  EXPECT_TRUE(gate.IsOpen(kStart, kHopeful));
}

TEST(TrialGateTest, TriesAHopelessRequestOnceInEachIntervalWhateverElseRuns) {
  TrialGate gate = Fresh();
  for (int i = 0; i < 100; ++i) gate.CountRefusal();
  gate.Start(kStart + milliseconds(900), kHopeful);
  gate.End(kStart + milliseconds(950), /*in_time=*/true);
  EXPECT_FALSE(gate.IsOpen(kStart + seconds(1) - Duration(1), !kHopeful));
  EXPECT_TRUE(gate.IsOpen(kStart + seconds(1), !kHopeful));
}

TEST(TrialGateTest, KnowsWhetherATrialIsUnderWayButDoesNotWaitForOneThatHangs) {
  TrialGate gate = Fresh();
  gate.Start(kStart, kHopeful);
  gate.Start(kStart, !kHopeful);
  EXPECT_TRUE(gate.IsUnderWay(kStart + seconds(1) - Duration(1)));
  EXPECT_FALSE(gate.IsUnderWay(kStart + seconds(1)));
  gate.End(kStart, true);
  EXPECT_TRUE(gate.IsUnderWay(kStart));
  gate.End(kStart, true);
  EXPECT_FALSE(gate.IsUnderWay(kStart));
}

}  // namespace
}  // namespace anybit::scheduler
