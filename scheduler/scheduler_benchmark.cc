// How long one decision and one admission take beside a queue of N requests: median and 99th percentile.
//   bazel run //scheduler:scheduler_benchmark
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "benchmark/benchmark.h"
#include "scheduler/admission.h"
#include "scheduler/policies/registry.h"
#include "scheduler/sim/samplers.h"
#include "scheduler/testing/snapshot.h"

namespace anybit {
namespace {

using std::chrono::microseconds;

Profile FivePoints() {
  return testing::AffineProfile({{"fp32", 0.93, microseconds(9000), microseconds(8000)},
                                 {"w8a8", 0.929, microseconds(3000), microseconds(2600)},
                                 {"w4a4f", 0.92, microseconds(1500), microseconds(1300)},
                                 {"w3a2f", 0.90, microseconds(1000), microseconds(800)},
                                 {"w1a1", 0.85, microseconds(500), microseconds(400)}},
                                64);
}

std::vector<testing::Snapshot> Snapshots(int waiting, bool floors) {
  std::vector<testing::Snapshot> snapshots;
  for (uint64_t seed = 0; seed < 32; ++seed) {
    std::mt19937_64 random(seed);
    testing::Snapshot& snapshot = snapshots.emplace_back(FivePoints());
    for (int i = 0; i < waiting; ++i) {
      const PointSet allowed = PointSet::First(floors ? static_cast<int>(sim::UniformInt(random, 1, 5)) : 5);
      snapshot.Add(MonoTime(microseconds(sim::UniformInt(random, 9000, 200000))), allowed);
    }
  }
  return snapshots;
}

// Times each call apart, for percentiles; the two clock reads are part of it (some 40 ns).
template <typename Call>
void Measure(benchmark::State& state, const Call& call) {
  const std::vector<testing::Snapshot> snapshots = Snapshots(static_cast<int>(state.range(0)), state.range(1) != 0);
  std::vector<int64_t> nanoseconds;
  size_t next = 0;
  for (auto _ : state) {
    const SchedulerView view = snapshots[next++ % snapshots.size()].view();
    const auto start = std::chrono::steady_clock::now();
    call(view);
    nanoseconds.push_back((std::chrono::steady_clock::now() - start).count());
  }
  std::sort(nanoseconds.begin(), nanoseconds.end());
  state.counters["p50_ns"] = static_cast<double>(nanoseconds[nanoseconds.size() / 2]);
  state.counters["p99_ns"] = static_cast<double>(nanoseconds[nanoseconds.size() * 99 / 100]);
}

void BM_DecideAndCheck(benchmark::State& state, const char* policy_name) {
  const std::unique_ptr<SchedulingPolicy> policy = *MakePolicy(policy_name, FivePoints());
  Measure(state, [&](const SchedulerView& view) {
    const Decision decision = policy->Decide(view);
    if (!Check(view, decision).ok() || decision.plans.empty()) state.SkipWithError("wrong decision");
    benchmark::DoNotOptimize(&decision);
  });
}
BENCHMARK_CAPTURE(BM_DecideAndCheck, slackfit, "slackfit")
    ->ArgNames({"waiting", "floors"})
    ->ArgsProduct({{1, 100, 1500, 10000}, {0, 1}});
BENCHMARK_CAPTURE(BM_DecideAndCheck, fixed, "fixed:w4a4f")->ArgNames({"waiting", "floors"})->Args({1500, 0});

void BM_Admit(benchmark::State& state) {
  const AdmissionControl admission{};
  Measure(state, [&](const SchedulerView& view) {
    SchedulerView roomy = view;
    roomy.max_queue_requests = 100000;
    const absl::Status status = admission.Admit(
        roomy, {.deadline = MonoTime(std::chrono::hours(1)), .allowed = PointSet::First(5)}).status;
    if (!status.ok()) state.SkipWithError("refused");
  });
}
BENCHMARK(BM_Admit)->ArgNames({"waiting", "floors"})->ArgsProduct({{1, 1500, 10000}, {0, 1}});

}  // namespace
}  // namespace anybit

BENCHMARK_MAIN();
