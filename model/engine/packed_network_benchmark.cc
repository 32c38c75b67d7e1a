// What it costs to change the operating point from one batch to the next: a small network alternates between two
// points, and runs each twice. switch_ns is the median time of a batch after a change less that of one without, the
// mean of both points: it includes that the other point has used the caches. Run:
//   bazel run -c opt //model/engine:packed_network_benchmark
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <vector>

#include "model/arch/basic_block_network.h"
#include "model/engine/packed_network.h"
#include "model/kernels/cpu/instruction_set.h"
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
  constexpr int kPoints[] = {1, 2};
  for (int point : kPoints) run(point);  // panels are made
  std::vector<double> same[2], changed[2];
  for (auto _ : state) {
    // first, first, second, second, ...: of each point's runs half follow a change.
    for (int i : {0, 1}) {
      changed[i].push_back(run(kPoints[i]));
      same[i].push_back(run(kPoints[i]));
    }
  }
  const double alone[2] = {Median(same[0]), Median(same[1])};
  state.counters["run_us"] = (alone[0] + alone[1]) / 2000;
  state.counters["switch_ns"] = (Median(changed[0]) - alone[0] + Median(changed[1]) - alone[1]) / 2;
}
BENCHMARK(BM_SwitchPoint)->MinTime(1);

}  // namespace
}  // namespace anybit

BENCHMARK_MAIN();
