// What tests of the anybit policy share: queues at the points of ThreePoints, and how they are decided.
#ifndef ANYBIT_SCHEDULER_POLICIES_ANYBIT_TESTING_QUEUES_H_
#define ANYBIT_SCHEDULER_POLICIES_ANYBIT_TESTING_QUEUES_H_

#include <chrono>
#include <cstdint>

#include "gtest/gtest.h"
#include "scheduler/policies/anybit/anybit.h"
#include "scheduler/testing/snapshot.h"

namespace anybit::scheduler::testing {

inline constexpr std::chrono::milliseconds kObjective(60);
inline constexpr PointSet kMidFloor = PointSet::Of(kHi).With(kMid);

// Expects that the rules hold, as they do with every decision.
inline Decision Decide(const Snapshot& snapshot) {
  Decision decision = Anybit().Decide(snapshot.view());
  EXPECT_TRUE(Check(snapshot.view(), decision).ok()) << Check(snapshot.view(), decision);
  return decision;
}

inline IdList Members(const Snapshot& snapshot, const Decision& decision, size_t plan = 0) {
  return PlannedIds(snapshot.view(), decision, plan);
}

inline IdList FromTo(uint64_t first, uint64_t last) {
  IdList ids;
  for (uint64_t id = first; id <= last; ++id) ids.push_back(id);
  return ids;
}

// `count` requests that arrive now, to be answered within the objective, each `gap` after the other.
inline Snapshot Waiting(int count, Duration first = kObjective, Duration gap = Duration::zero(), int slots = 1) {
  Snapshot snapshot(ThreePoints(), slots);
  for (int i = 0; i < count; ++i) snapshot.Add(T(first + i * gap));
  return snapshot;
}

inline ArrivalForecast Steady(double rows_per_objective) {
  return {
      .fast = rows_per_objective, .medium = rows_per_objective, .slow = rows_per_objective, .objective = kObjective};
}

// The point of the only plan.
inline PointId PointFor(const Snapshot& snapshot) {
  const Decision decision = Decide(snapshot);
  EXPECT_EQ(decision.plans.size(), 1u);
  return decision.plans.empty() ? ToPointId(kMaxPoints - 1) : decision.plans[0].point;
}

}  // namespace anybit::scheduler::testing

#endif  // ANYBIT_SCHEDULER_POLICIES_ANYBIT_TESTING_QUEUES_H_
