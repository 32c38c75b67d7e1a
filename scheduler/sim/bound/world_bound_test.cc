#include "scheduler/sim/bound/world_bound.h"

#include <chrono>
#include <vector>

#include "gtest/gtest.h"
#include "scheduler/sim/traces/load.h"

namespace anybit::scheduler::sim {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

// A row takes 65 us at "lo" and 165 us at "hi": 100 and 200 us with its receiving and its answer, 30 us are a refusal.
Profile TwoPoints() {
  return {.points = {{.name = "hi", .accuracy = 0.9}, {.name = "lo", .accuracy = 0.8}},
          .max_batch = 1,
          .latency = {{microseconds(165)}, {microseconds(65)}}};
}

constexpr WorldOptions kServerWorld{.world = World::kServer};

// So many that the last deadline leaves `each` of one processor to each.
std::vector<OfferedRequest> Offer(int count, Duration each) {
  constexpr milliseconds kObjective(1);
  std::vector<MonoTime> arrivals;
  for (int i = 0; i < count; ++i) arrivals.push_back(MonoTime((count * each - kObjective) * i / (count - 1)));
  return RequestsAt(arrivals, kObjective);
}

TEST(WorldBoundTest, TheCapacityCountsWhatTheEdgeTakesFromTheSlots) {
  EXPECT_NEAR(CapacityIn({}, TwoPoints(), 1), 1e6 / 65, 1e-6);
  EXPECT_NEAR(CapacityIn(kServerWorld, TwoPoints(), 1), 10'000, 1e-6);
  EXPECT_NEAR(CapacityIn(kServerWorld, TwoPoints(), 2), 20'000, 1e-6);
  EXPECT_NEAR(CapacityIn(kServerWorld, TwoPoints(), 4), 1e6 / 35, 1e-6) << "more the one edge does not carry";
  WorldOptions own = kServerWorld;
  own.edge = EdgeProcessor::kOwn;
  EXPECT_NEAR(CapacityIn(own, TwoPoints(), 1), 1e6 / 65, 1e-6);
}

TEST(WorldBoundTest, ProcessorTimeIsMixedFromTheTwoBestWays) {
  // Every 150 us: half at "hi", half at "lo". Every 100 us: all at "lo". Every 65 us: half are served.
  EXPECT_NEAR(BoundUtilityIn(kServerWorld, TwoPoints(), Offer(100, microseconds(150)), 1).sum, 85, 1e-9);
  EXPECT_NEAR(BoundUtilityIn(kServerWorld, TwoPoints(), Offer(100, microseconds(100)), 1).sum, 80, 1e-9);
  EXPECT_NEAR(BoundUtilityIn(kServerWorld, TwoPoints(), Offer(100, microseconds(65)), 1).sum, 40, 1e-9);
  EXPECT_EQ(BoundUtilityIn(kServerWorld, TwoPoints(), Offer(100, microseconds(25)), 1).sum, 0);
}

TEST(WorldBoundTest, WithAmpleTimeTheClairvoyantBoundHolds) {
  const std::vector<OfferedRequest> requests = Offer(100, milliseconds(1));
  EXPECT_NEAR(BoundUtilityIn(kServerWorld, TwoPoints(), requests, 1).sum, 90, 1e-6);
  EXPECT_FALSE(BoundUtilityIn(kServerWorld, TwoPoints(), requests, 1).exact);
  EXPECT_TRUE(BoundUtilityIn({}, TwoPoints(), requests, 1).exact);
}

}  // namespace
}  // namespace anybit::scheduler::sim
