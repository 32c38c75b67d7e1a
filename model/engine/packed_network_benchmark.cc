// The cost of changing the operating point from one batch to the next. A small network alternates between two points
// and runs each twice. switch_ns is the median time of a batch after a change minus that of a batch without, averaged
// over both points. It includes the effect of the other point on the caches. Run:
//   bazel run -c opt //model/engine:packed_network_benchmark
#include <benchmark/benchmark.h>

#include <chrono>
#include <vector>

#include "base/statistics.h"
#include "model/arch/basic_block_network.h"
#include "model/engine/packed_network.h"
#include "model/kernels/cpu/instruction_set.h"
#include "model/testing/random_artifact.h"

namespace anybit::model {
namespace {

using Clock = std::chrono::steady_clock;

void BM_SwitchPoint(benchmark::State& state) {
  const Artifact artifact = RandomArtifact(FashionNetwork(8), 1);
  const auto network = *PackedNetwork::Create(artifact, *SupportedKernels().front());
  const auto scratch = network->MakeScratch(1);
  const std::vector<uint8_t> image = RandomImages(artifact, 1, 2);
  std::vector<float> logits(10);
  const auto run = [&](PointId point) {
    const auto start = Clock::now();
    if (!network->Run(point, image, logits, *scratch).ok()) state.SkipWithError("failed");
    return std::chrono::duration<double, std::nano>(Clock::now() - start).count();
  };
  constexpr PointId kPoints[] = {ToPointId(1), ToPointId(2)};
  for (PointId point : kPoints) {
    if (!network->Prepare(point).ok()) state.SkipWithError("failed");
  }
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
}  // namespace anybit::model

BENCHMARK_MAIN();
