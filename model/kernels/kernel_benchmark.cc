// GMAC/s of each kernel on the shape of the default network's middle layers (128 channels, 3x3). Run:
//   bazel run -c opt //model/kernels:kernel_benchmark
#include <benchmark/benchmark.h>

#include <vector>

#include "model/kernels/kernel_table.h"

namespace anybit {
namespace {

constexpr int64_t kOutputs = 128;
constexpr int64_t kDepth = 9 * 128;

void SetRate(benchmark::State& state) {
  state.counters["GMAC/s"] = benchmark::Counter(1e-9 * kPatchGroup * kOutputs * kDepth * static_cast<double>(state.iterations()),
                                                benchmark::Counter::kIsRate);
}

void BM_Codes(benchmark::State& state) {
  const std::vector<int16_t> patches(kPatchGroup * kDepth, 3), weights(kOutputs * kDepth, -2);
  std::vector<int32_t> sums(kPatchGroup * kOutputs);
  for (auto _ : state) {
    PortableKernels().multiply_codes(patches.data(), kPatchGroup, weights.data(), kOutputs, kDepth, sums.data());
    benchmark::DoNotOptimize(sums.data());
    benchmark::ClobberMemory();
  }
  if (sums.back() != -6 * kDepth) state.SkipWithError("wrong sum");
  SetRate(state);
}
BENCHMARK(BM_Codes);

void BM_Signs(benchmark::State& state) {
  const int planes = static_cast<int>(state.range(0));
  const int64_t words = kDepth / 64;
  const std::vector<uint64_t> patches(kPatchGroup * planes * words, ~uint64_t{0}), weights(kOutputs * words, 0);
  std::vector<int32_t> sums(kPatchGroup * kOutputs);
  for (auto _ : state) {
    PortableKernels().multiply_signs(patches.data(), kPatchGroup, planes, weights.data(), kOutputs, words, sums.data());
    benchmark::DoNotOptimize(sums.data());
    benchmark::ClobberMemory();
  }
  if (sums.back() != -kDepth * ((1 << planes) - 1)) state.SkipWithError("wrong sum");
  SetRate(state);
}
BENCHMARK(BM_Signs)->Arg(1)->Arg(2);

void BM_Floats(benchmark::State& state) {
  const std::vector<float> patches(kPatchGroup * kDepth, 0.5f), weights(kOutputs * kDepth, 2.0f);
  std::vector<float> sums(kPatchGroup * kOutputs);
  for (auto _ : state) {
    PortableKernels().multiply_floats(patches.data(), kPatchGroup, weights.data(), kOutputs / kFloatGroup, kDepth,
                                      sums.data());
    benchmark::DoNotOptimize(sums.data());
    benchmark::ClobberMemory();
  }
  if (sums.back() != kDepth) state.SkipWithError("wrong sum");
  SetRate(state);
}
BENCHMARK(BM_Floats);

}  // namespace
}  // namespace anybit

BENCHMARK_MAIN();
