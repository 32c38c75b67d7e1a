// How long one decision and one admission take beside a queue of N requests: median and 99th percentile.
//   bazel run //scheduler:scheduler_benchmark
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/statistics.h"
#include "benchmark/benchmark.h"
#include "scheduler/admission/admission.h"
#include "scheduler/policies/registry.h"
#include "scheduler/testing/snapshot.h"

namespace anybit::scheduler {
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

constexpr Duration kObjective = std::chrono::milliseconds(1280);  // 2.5 times a full batch at fp32

// The setting of the queue and the forecast: deadlines of the waiting are even over `deadlines`, and `rate` rows are
// expected within an objective.
struct Pressure {
  Duration deadlines{};
  double rate = 0;
};

// In an objective fp32 carries 160 rows, w8a8 490, w1a1 3200.
Pressure Underload() { return {.deadlines = kObjective * 10, .rate = 50}; }
Pressure Busy() { return {.deadlines = kObjective, .rate = 1000}; }
Pressure Overload() { return {.deadlines = std::chrono::milliseconds(200), .rate = 6000}; }

std::vector<testing::Snapshot> Snapshots(int waiting, bool floors, const Pressure& pressure) {
  std::vector<testing::Snapshot> snapshots;
  for (uint64_t seed = 0; seed < 32; ++seed) {
    std::mt19937_64 random(seed);
    testing::Snapshot& snapshot = snapshots.emplace_back(FivePoints());
    snapshot.arrivals = {.fast = pressure.rate,
                         .medium = pressure.rate,
                         .slow = pressure.rate,
                         .dispersion = 2,
                         .objective = kObjective};
    std::vector<int64_t> deadlines;
    for (int i = 0; i < waiting; ++i) {
      deadlines.push_back(UniformInt(random, 9'000'000, pressure.deadlines.count()));
    }
    std::sort(deadlines.begin(), deadlines.end());  // each then belongs at the back
    for (const int64_t deadline : deadlines) {
      const PointSet allowed = PointSet::First(floors ? static_cast<int>(UniformInt(random, 1, 5)) : 5);
      snapshot.Add(MonoTime(Duration(deadline)), allowed);
    }
  }
  return snapshots;
}

// Times each call apart, for percentiles; the two clock reads are part of it (some 40 ns).
template <typename Call>
void Measure(benchmark::State& state, const Pressure& pressure, const Call& call) {
  const std::vector<testing::Snapshot> snapshots =
      Snapshots(static_cast<int>(state.range(0)), state.range(1) != 0, pressure);
  std::vector<int64_t> nanoseconds;
  size_t next = 0;
  for (auto _ : state) {
    const SchedulerView view = snapshots[next++ % snapshots.size()].view();
    const auto start = std::chrono::steady_clock::now();
    call(view);
    nanoseconds.push_back((std::chrono::steady_clock::now() - start).count());
  }
  state.counters["p50_ns"] = static_cast<double>(Median(nanoseconds));
  state.counters["p99_ns"] = static_cast<double>(Quantile(nanoseconds, 0.99));
}

// As the engine does it: the decision's and the check's memory are kept.
void BM_DecideAndCheck(benchmark::State& state, const char* policy_name, const Pressure& pressure) {
  const std::unique_ptr<SchedulingPolicy> policy = *MakePolicy(policy_name, FivePoints());
  Decision decision;
  DecisionCheck check;
  Measure(state, pressure, [&](const SchedulerView& view) {
    decision.Clear();
    policy->DecideInto(view, decision);
    if (!check(view, decision).ok() || decision.plans.empty()) state.SkipWithError("wrong decision");
    benchmark::DoNotOptimize(&decision);
  });
}

void Queues(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"waiting", "floors"})->ArgsProduct({{1, 100, 1500, 10000}, {0, 1}});
}
BENCHMARK_CAPTURE(BM_DecideAndCheck, anybit_underload, "anybit", Underload())->Apply(Queues);
BENCHMARK_CAPTURE(BM_DecideAndCheck, anybit_busy, "anybit", Busy())->Apply(Queues);
BENCHMARK_CAPTURE(BM_DecideAndCheck, anybit_overload, "anybit", Overload())->Apply(Queues);
BENCHMARK_CAPTURE(BM_DecideAndCheck, slackfit, "slackfit", Overload())->Apply(Queues);
BENCHMARK_CAPTURE(BM_DecideAndCheck, fixed, "fixed:w4a4f", Overload())
    ->ArgNames({"waiting", "floors"})
    ->Args({1500, 0});

void BM_Admit(benchmark::State& state) {
  const AdmissionControl admission{};
  Measure(state, Overload(), [&](const SchedulerView& view) {
    SchedulerView roomy = view;
    roomy.max_queue_requests = 100000;
    const MonoTime late(std::chrono::hours(1));
    const absl::Status status =
        admission.Admit(roomy, {.answer_by = late, .run_by = late, .allowed = PointSet::First(5)}).status;
    if (!status.ok()) state.SkipWithError("refused");
  });
}
BENCHMARK(BM_Admit)->ArgNames({"waiting", "floors"})->ArgsProduct({{1, 1500, 10000}, {0, 1}});

}  // namespace
}  // namespace anybit::scheduler

BENCHMARK_MAIN();
