#include "scheduler/trial_gate.h"

#include <chrono>

#include "gtest/gtest.h"
#include "scheduler/testing/snapshot.h"

namespace anybit {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::T;

constexpr MonoTime kStart = T(seconds(100));
constexpr bool kHopeful = true;

// A gate behind which a batch ran just before kStart.
TrialGate Fresh() {
  TrialGate gate(seconds(1));
  gate.Ran(kStart - milliseconds(1));
  return gate;
}

TEST(TrialGateTest, IsOpenToHopefulRequestsUntilATrialFails) {
  TrialGate gate = Fresh();
  EXPECT_TRUE(gate.IsOpen(kStart, kHopeful));
  gate.Start();
  gate.End(kStart, /*in_time=*/true);
  EXPECT_TRUE(gate.IsOpen(kStart, kHopeful));
  gate.Start();
  gate.End(kStart, /*in_time=*/false);
  EXPECT_FALSE(gate.IsOpen(kStart, kHopeful));
}

TEST(TrialGateTest, OpensAgainAfterOneRefusalOrOneInterval) {
  TrialGate gate = Fresh();
  gate.Start();
  gate.End(kStart, /*in_time=*/false);
  EXPECT_FALSE(gate.IsOpen(kStart + seconds(1) - Duration(1), kHopeful));
  EXPECT_TRUE(gate.IsOpen(kStart + seconds(1), kHopeful));
  gate.CountRefusal();
  EXPECT_TRUE(gate.IsOpen(kStart, kHopeful));
}

TEST(TrialGateTest, TriesWhatIsBeyondHopeOnlyWhenNothingRanForAnInterval) {
  TrialGate gate = Fresh();
  gate.Ran(kStart);
  for (int i = 0; i < 100; ++i) gate.CountRefusal();
  EXPECT_FALSE(gate.IsOpen(kStart + seconds(1) - Duration(1), !kHopeful));
  EXPECT_TRUE(gate.IsOpen(kStart + seconds(1), !kHopeful));
}

TEST(TrialGateTest, KnowsHowManyTrialsAreUnderWay) {
  TrialGate gate = Fresh();
  gate.Start();
  gate.Start();
  EXPECT_EQ(gate.running(), 2);
  gate.End(kStart, true);
  EXPECT_EQ(gate.running(), 1);
}

}  // namespace
}  // namespace anybit
