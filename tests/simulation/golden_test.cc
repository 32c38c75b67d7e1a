// Fixed scenes whose whole trace is known: any change of what the scheduler does shows here, wanted or not.
//
// When a change is wanted, run this test, compare the figures it prints with the ones below, be sure that you can say
// why they differ, and replace the row with the printed one. A hash that changes while the figures stay is a change
// of order, timing or prediction: look at what it is before you accept it. Arrivals are made of integers only; anybit's
// forecast is made of doubles, so its rows may depend on the mathematical library, though no tie is known that does.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <random>
#include <string>

#include "base/random.h"
#include "gtest/gtest.h"
#include "scheduler/testing/snapshot.h"
#include "tests/simulation/workload.h"

namespace anybit::simulation {
namespace {

using std::chrono::microseconds;

// Calm, a crowd, and calm again. Every fifth has a floor, every tenth no deadline, every eighth four rows.
Workload Crowd(const std::string& policy, int slots) {
  std::mt19937_64 random(11);
  Workload workload{.profile = scheduler::testing::ThreePoints(),
                    .policy = policy,
                    .runner = {.slots = slots, .seed = 5, .least_permille = 900, .most_permille = 1100}};
  MonoTime at{};
  for (int i = 0; i < 600; ++i) {
    const int64_t most_gap = i < 150 || i >= 450 ? 8000 : 900;
    at += microseconds(UniformInt(random, 0, most_gap) / slots);
    WorkloadRequest request{
        .arrival = at, .deadline = at + microseconds(60000), .allowed = scheduler::testing::kAnyPoint};
    if (i % 5 == 0) request.allowed = scheduler::PointSet::Of(scheduler::testing::kHi).With(scheduler::testing::kMid);
    if (i % 10 == 3) request.deadline = kNever;
    if (i % 8 == 1) request.rows = 4;
    request.sla_class = static_cast<scheduler::SlaClassId>(i % 2);
    request.tenant = static_cast<scheduler::TenantId>(i % 3 == 0 ? 1 : 0);
    workload.requests.push_back(request);
  }
  return workload;
}

Workload WeightedCrowd(const std::string& policy, int slots) {
  Workload workload = Crowd(policy, slots);
  workload.options.class_weights = {1, 3};
  workload.options.tenant_shares = {1, 2};
  return workload;
}

struct Golden {
  const char* policy;
  int slots;
  bool weighted;
  int served;            // of 600
  int refused;           // shed or expired
  int late;              // of the served
  double mean_accuracy;  // of the served, to four digits
  uint64_t hash;         // of every event
};

// policy, slots, weighted, served, refused, late, mean accuracy, hash
constexpr Golden kGolden[] = {
    {"anybit", 1, false, 486, 114, 0, 0.8274, 0xba47b453857b32aa},
    {"anybit", 3, false, 553, 47, 0, 0.8207, 0xa573426440f75163},
    {"anybit", 1, true, 424, 176, 0, 0.8357, 0xb51812beed19a78f},
    {"slackfit", 1, false, 438, 162, 0, 0.8636, 0x26f076322b00bb5a},
    {"slackfit", 3, true, 475, 125, 0, 0.8491, 0x7d91c29c13a6b0f6},
    {"slackfit-literal", 1, false, 413, 187, 0, 0.8730, 0x690d2b6a6acf42ce},
    {"fixed:mid", 1, false, 395, 205, 0, 0.8500, 0x2fd425bc1b8ad461},
    {"cheapest", 1, false, 454, 146, 1, 0.7423, 0xd6baa7bdb8a5b2e4},
    {"max-batch", 1, false, 424, 176, 0, 0.8607, 0x913d5ed9582a29c7},
    {"max-accuracy", 1, false, 400, 200, 0, 0.8749, 0xf109f909b6f9b6a6},
    {"aimd", 1, false, 344, 256, 0, 0.9000, 0x30e5558befe84179},
    {"early-drop", 1, false, 469, 131, 1, 0.7425, 0x1237ae41543c29cd},
    {"deferred", 1, false, 414, 186, 0, 0.8733, 0x283569eedaec71f7},
    {"accuracy-scaling", 1, false, 421, 179, 0, 0.8277, 0x63a3aa0f7c45f10b},
};

Golden Measure(const Golden& scene) {
  int drained = 0;
  const Workload workload =
      scene.weighted ? WeightedCrowd(scene.policy, scene.slots) : Crowd(scene.policy, scene.slots);
  const std::unique_ptr<scheduler::testing::Rig> rig = Prepare(workload, drained);
  rig->loop.Run();
  Golden measured{.policy = scene.policy, .slots = scene.slots, .weighted = scene.weighted, .hash = rig->trace.hash()};
  double accuracy = 0;
  for (const scheduler::EndedEvent& event : rig->trace.ended()) {
    measured.refused += event.kind == scheduler::OutcomeKind::kShed || event.kind == scheduler::OutcomeKind::kExpired;
    if (event.kind != scheduler::OutcomeKind::kServed) continue;
    ++measured.served;
    measured.late += !event.deadline_met;
    accuracy += event.expected_accuracy;
  }
  measured.mean_accuracy = accuracy / measured.served;
  return measured;
}

std::string RowOf(const Golden& g) {
  char row[200];
  std::snprintf(row, sizeof(row), "{\"%s\", %d, %s, %d, %d, %d, %.4f, 0x%016llx},", g.policy, g.slots,
                g.weighted ? "true" : "false", g.served, g.refused, g.late, g.mean_accuracy,
                static_cast<unsigned long long>(g.hash));
  return row;
}

TEST(GoldenTest, EveryPolicyRunsTheCrowdAsItDidWhenItWasLastLookedAt) {
  for (const Golden& golden : kGolden) EXPECT_EQ(RowOf(Measure(golden)), RowOf(golden));
}

}  // namespace
}  // namespace anybit::simulation
