// What it costs to change the operating point from one batch to the next: a small network alternates between two points,
// and runs each alone, in turns. switch_ns is the median of a batch after a change less that of one without. Run:
//   bazel run -c opt //model:packed_network_benchmark
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <vector>

#include "model/arch/basic_block_network.h"
#include "model/kernels/instruction_set.h"
#include "model/packed_network.h"
#include "model/testing/random_artifact.h"

namespace anybit {
namespace {

using Clock = std::chrono::steady_clock;

double Median(std::vector<double>& values) {
  const auto middle = values.begin() + static_cast<int64_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

void BM_SwitchPoint(benchmark::State& state) {
  const Artifact artifact = RandomArtifact(FashionNetwork(8), 1);
  const auto network = *PackedNetwork::Create(artifact, *SupportedKernels().front());
  const auto scratch = network->MakeScratch(1);
  const std::vector<uint8_t> image = RandomImages(artifact, 1, 2);
  std::vector<float> logits(10);
  const auto run = [&](int point) {
    const auto start = Clock::now();
    if (!network->Run(point, image, logits, *scratch).ok()) state.SkipWithError("failed");
    return std::chrono::duration<double, std::nano>(Clock::now() - start).count();
  };
  constexpr int kFirst = 1, kSecond = 2;
  run(kFirst);
  run(kSecond);  // panels are made
  std::vector<double> same, changed;
  for (auto _ : state) {
    // first, first, second, second, ...: half of the runs follow a change, and each point is as often in either half.
    for (int point : {kFirst, kSecond}) {
      changed.push_back(run(point));
      same.push_back(run(point));
    }
  }
  state.counters["run_us"] = Median(same) / 1000;
  state.counters["switch_ns"] = Median(changed) - Median(same);
}
BENCHMARK(BM_SwitchPoint)->MinTime(1);

}  // namespace
}  // namespace anybit

BENCHMARK_MAIN();
