// How a run changes with the world it runs in.
//
// The scheduler knows no unit of time: a world in which everything takes ten times as long runs the same, ten times
// as slowly, to the nanosecond. The one exception is the length of a batch without a deadline, so here all have one.
// And what can only help does not harm: more slots, another point to choose from; nor does more load lower what is
// served. These hold up to a margin, since nobody knows what will arrive.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "base/arrivals/workloads.h"
#include "gtest/gtest.h"
#include "scheduler/sim/simulation.h"
#include "scheduler/sim/summary.h"
#include "scheduler/sim/traces/load.h"
#include "scheduler/testing/snapshot.h"
#include "tests/simulation/workload.h"

namespace anybit::simulation {
namespace {

constexpr int kFactor = 10;

// Far away, for those that have none.
Workload WithDeadlines(Workload workload) {
  for (WorkloadRequest& request : workload.requests) {
    if (request.deadline == kNever) request.deadline = request.arrival + std::chrono::minutes(10);
  }
  return workload;
}

Duration SinceStart(MonoTime time) { return time.time_since_epoch(); }

TEST(MetamorphicTest, TimesTenTimesAsLongGiveTheTraceTenTimesAsLong) {
  for (uint64_t seed = 0; seed < 300 && !HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    const Workload workload = WithDeadlines(RandomWorkload(seed));
    const Workload slow_workload = Scaled(workload, kFactor);
    int drained = 0;
    const std::unique_ptr<scheduler::testing::Rig> rig = Prepare(workload, drained);
    const std::unique_ptr<scheduler::testing::Rig> slow = Prepare(slow_workload, drained);
    rig->loop.Run();
    slow->loop.Run();

    ASSERT_EQ(rig->trace.dispatched().size(), slow->trace.dispatched().size());
    for (size_t i = 0; i < rig->trace.dispatched().size(); ++i) {
      const scheduler::DispatchedEvent& event = rig->trace.dispatched()[i];
      const scheduler::DispatchedEvent& slow_event = slow->trace.dispatched()[i];
      ASSERT_EQ(SinceStart(event.at) * kFactor, SinceStart(slow_event.at));
      ASSERT_EQ(event.predicted * kFactor, slow_event.predicted);
      ASSERT_EQ(event.slot, slow_event.slot);
      ASSERT_EQ(event.point, slow_event.point);
      ASSERT_EQ(event.rows, slow_event.rows);
    }
    ASSERT_EQ(rig->trace.ended().size(), slow->trace.ended().size());
    for (size_t i = 0; i < rig->trace.ended().size(); ++i) {
      const scheduler::EndedEvent& event = rig->trace.ended()[i];
      const scheduler::EndedEvent& slow_event = slow->trace.ended()[i];
      ASSERT_EQ(event.id, slow_event.id);
      ASSERT_EQ(event.kind, slow_event.kind);
      ASSERT_EQ(event.total_time * kFactor, slow_event.total_time);
    }
  }
}

constexpr std::chrono::milliseconds kObjective(60);

scheduler::Profile WithPoints(std::initializer_list<int> points) {
  const scheduler::Profile all = scheduler::testing::AffineProfile(
      {{"hi", 0.90, std::chrono::milliseconds(10), std::chrono::milliseconds(2)},
       {"mid", 0.85, std::chrono::milliseconds(5), std::chrono::milliseconds(1)},
       {"lo", 0.70, std::chrono::milliseconds(2), std::chrono::microseconds(500)},
       {"worse than mid", 0.80, std::chrono::milliseconds(8), std::chrono::microseconds(1500)},
       {"a little worse than mid", 0.80, std::chrono::milliseconds(5), std::chrono::microseconds(1100)}},
      8);
  scheduler::Profile profile{.max_batch = all.max_batch};
  for (const int p : points) {
    profile.points.push_back(all.points[static_cast<size_t>(p)]);
    profile.latency.push_back(all.latency[static_cast<size_t>(p)]);
  }
  return profile;
}

struct Scene {
  std::string workload = "poisson";
  double load = 1;  // of what one slot of ThreePoints carries
  uint64_t seed = 0;
  int requests = 3000;
};

scheduler::sim::Summary RunScene(const scheduler::Profile& profile, const std::string& policy, const Scene& scene,
                                 int slots = 1) {
  const auto arrivals = MakeArrivals(
      scene.workload, {.count = scene.requests,
                       .per_second = scene.load * scheduler::sim::Capacity(scheduler::testing::ThreePoints(), 1),
                       .objective = kObjective,
                       .seed = scene.seed});
  const std::vector<scheduler::sim::OfferedRequest> requests = scheduler::sim::RequestsAt(*arrivals, kObjective);
  return scheduler::sim::Summarize(
      profile.points, requests,
      *scheduler::sim::Simulate(profile, requests, {.policy = policy, .slots = slots, .seed = scene.seed}));
}

void ExpectGoodputDoesNotFall(const std::string& policy) {
  for (const std::string workload : {"poisson", "gamma4", "mmpp"}) {
    for (const int slots : {1, 3}) {
      double most = 0;
      for (const int load : {1, 2, 3, 5, 10}) {
        SCOPED_TRACE(workload + ", " + std::to_string(slots) + " slots, load " + std::to_string(load));
        const Scene scene{.workload = workload, .load = 1.0 * load * slots, .seed = 7, .requests = 3000 * load * slots};
        const double goodput = RunScene(scheduler::testing::ThreePoints(), policy, scene, slots).goodput;
        EXPECT_GT(goodput, 0.95 * most);
        most = std::max(most, goodput);
      }
    }
  }
}

TEST(MetamorphicTest, AnybitsGoodputDoesNotFallAsLoadRisesToTenTimesTheCapacity) { ExpectGoodputDoesNotFall("anybit"); }

// The mean over loads, kinds of arrivals and seeds.
double MeanUtility(const scheduler::Profile& profile, int slots) {
  double sum = 0;
  int runs = 0;
  for (const std::string workload : {"poisson", "gamma4", "flash"}) {
    for (const double load : {0.3, 0.6, 0.9, 1.5}) {
      for (uint64_t seed = 1; seed <= 4; ++seed, ++runs) {
        sum += RunScene(profile, "anybit", {.workload = workload, .load = load * slots, .seed = seed}, slots).utility;
      }
    }
  }
  return sum / runs;
}

TEST(MetamorphicTest, AnotherPointToChooseFromDoesNotLowerTheUtility) {
  constexpr double kMargin = 0.003;
  for (const int slots : {1, 3}) {
    SCOPED_TRACE(slots);
    const double all = MeanUtility(WithPoints({0, 1, 2}), slots);
    EXPECT_GT(all, MeanUtility(WithPoints({0, 1}), slots) - kMargin);
    EXPECT_GT(all, MeanUtility(WithPoints({1, 2}), slots) - kMargin);
    EXPECT_GT(all, MeanUtility(WithPoints({0, 2}), slots) - kMargin);
    EXPECT_NEAR(MeanUtility(WithPoints({0, 1, 2, 3}), slots), all, 1e-9) << "a dominated point changes nothing";
    EXPECT_GT(MeanUtility(WithPoints({0, 1, 2, 4}), slots), all - kMargin)
        << "one that might be better costs its trial";
  }
}

TEST(MetamorphicTest, MoreSlotsDoNotLowerTheAttainment) {
  constexpr double kMargin = 0.01;
  for (const std::string policy : {"anybit", "slackfit"}) {
    for (const std::string workload : {"poisson", "gamma8", "flash", "step"}) {
      for (const double load : {0.5, 1.0, 2.0, 3.5}) {
        for (uint64_t seed = 1; seed <= 3; ++seed) {
          double most = 0;
          for (int slots = 1; slots <= 4; ++slots) {
            SCOPED_TRACE(policy + ", " + workload + ", load " + std::to_string(load) + " of one slot, seed " +
                         std::to_string(seed) + ", slots " + std::to_string(slots));
            const double attainment = RunScene(scheduler::testing::ThreePoints(), policy,
                                               {.workload = workload, .load = load, .seed = seed}, slots)
                                          .attainment;
            EXPECT_GT(attainment, most - kMargin);
            most = std::max(most, attainment);
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace anybit::simulation
