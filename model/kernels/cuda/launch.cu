#include "model/kernels/cuda/launch.h"

#include <cuda_runtime.h>

#include <array>
#include <iterator>
#include <variant>

#include "model/kernels/cuda/cutlass_launch.h"
#include "model/kernels/cuda/device_block.cuh"
#include "model/kernels/cuda/dispatch.h"
#include "model/kernels/cuda/item_bodies.h"
#include "model/kernels/cuda/map_bodies.h"

// nvcc lists the architectures as 10 times their numbers; the build names those that end with an a.
#ifdef ANYBIT_SM_90A
#define ANYBIT_EXACT_90 true
#else
#define ANYBIT_EXACT_90 false
#endif
#ifdef ANYBIT_SM_100A
#define ANYBIT_EXACT_100 true
#else
#define ANYBIT_EXACT_100 false
#endif
#ifdef ANYBIT_SM_120A
#define ANYBIT_EXACT_120 true
#else
#define ANYBIT_EXACT_120 false
#endif

namespace anybit::model::cuda {
namespace {

constexpr int kListed[] = {__CUDA_ARCH_LIST__};
constexpr auto kArchitectures = [] {
  std::array<CompiledArchitecture, std::size(kListed)> compiled{};
  for (size_t i = 0; i < compiled.size(); ++i) {
    const int architecture = kListed[i] / 10;
    compiled[i] = {architecture, architecture == 90    ? ANYBIT_EXACT_90
                                 : architecture == 100 ? ANYBIT_EXACT_100
                                 : architecture == 120 ? ANYBIT_EXACT_120
                                                       : false};
  }
  return compiled;
}();

template <class Tile, int kCopyWords>
__global__ __launch_bounds__(Tile::kThreads) void ConvKernel(const __grid_constant__ ConvCall call) {
  if constexpr (IsNative<Tile::operand>()) {
    __shared__ typename Tile::Shared shared;
    DeviceBlock block;
    RunConvBlock<Tile, kCopyWords>(block, call, shared);
  } else {
    __trap();
  }
}

template <class Tile>
__global__ __launch_bounds__(Tile::kThreads) void WinogradKernel(const __grid_constant__ WinogradCall call) {
  __shared__ typename Tile::Shared shared;
  DeviceBlock block;
  RunWinogradBlock<Tile>(block, call, shared);
}

__global__ __launch_bounds__(kLinearThreads) void LinearKernel(const __grid_constant__ LinearCall call) {
  DeviceBlock block;
  RunLinearBlock(block, call);
}

template <class Call>
__global__ __launch_bounds__(kItemsPerBlock) void ItemKernel(const __grid_constant__ Call call) {
  const int64_t item = int64_t{blockIdx.x} * kItemsPerBlock + threadIdx.x;
  if (item < Items(call)) RunItem(call, item);
}

struct Launcher {
  cudaStream_t stream;

  void operator()(const ConvCall& call) const {
    ForConvTile(call, [&]<class Tile, int kCopyWords>() {
      ConvKernel<Tile, kCopyWords><<<static_cast<unsigned>(ConvBlocks(call)), Tile::kThreads, 0, stream>>>(call);
    });
  }
  void operator()(const CutlassConvCall&) const {}  // cutlass_launch.cu has it
  void operator()(const WinogradCall& call) const {
    ForWinogradTile(call, [&]<class Tile>() {
      WinogradKernel<Tile><<<static_cast<unsigned>(WinogradBlocks(call)), Tile::kThreads, 0, stream>>>(call);
    });
  }
  void operator()(const LinearCall& call) const {
    LinearKernel<<<static_cast<unsigned>(LinearBlocks(call)), kLinearThreads, 0, stream>>>(call);
  }
  template <class Call>
  void operator()(const Call& call) const {
    const int64_t blocks = CeilDivide(Items(call), kItemsPerBlock);
    if (blocks > 0) ItemKernel<Call><<<static_cast<unsigned>(blocks), kItemsPerBlock, 0, stream>>>(call);
  }
};

}  // namespace

int Launch(const KernelCall& call, void* stream) {
  if (const auto* cutlass = std::get_if<CutlassConvCall>(&call)) return LaunchCutlass(*cutlass, stream);
  std::visit(Launcher{static_cast<cudaStream_t>(stream)}, call);
  return cudaGetLastError();
}

std::span<const CompiledArchitecture> CompiledArchitectures() { return kArchitectures; }

}  // namespace anybit::model::cuda
