// Direct convolutions by CUTLASS 2.x's implicit GEMM, with our epilogue as its output operator.
//
// Our epilogue needs two vectors, scale and bias; CUTLASS broadcasts one, whose elements may be complex numbers: scale
// is the real part, bias the imaginary one.
#include <cuda_runtime.h>

#include <cutlass/cutlass.h>

#include <cutlass/complex.h>
#include <cutlass/conv/kernel/default_conv2d_fprop_with_broadcast.h>
#include <cutlass/epilogue/threadblock/epilogue_with_broadcast.h>
#include <cutlass/gemm/threadblock/threadblock_swizzle.h>

#include "model/kernels/cuda/cutlass_launch.h"
#include "model/kernels/cuda/epilogue.h"

namespace anybit::model::cuda {
namespace {

constexpr int kVectorCodes = 16;  // that a thread stores at once

// The requantization of epilogue.h for the places that one thread stores at once.
struct RequantizeOp {
  using ElementOutput = uint8_t;
  using ElementAccumulator = int32_t;
  using ElementCompute = cutlass::complex<float>;
  using ElementZ = uint8_t;
  using ElementT = uint8_t;
  using ElementVector = cutlass::complex<float>;
  static int const kElementsPerAccess = kVectorCodes;
  static int const kCount = kVectorCodes;
  static bool const kStoreZ = true;
  static bool const kStoreT = false;
  static bool const kIsSingleSource = true;
  using FragmentAccumulator = cutlass::Array<ElementAccumulator, kCount>;
  using FragmentCompute = cutlass::Array<ElementCompute, kCount>;
  using FragmentC = cutlass::Array<ElementOutput, kCount>;
  using FragmentZ = cutlass::Array<ElementZ, kCount>;
  using FragmentT = cutlass::Array<ElementT, kCount>;

  struct Params {
    float residual_scale = 0;
    float highest = 0;
    bool adds = false;
  };

  CUTLASS_HOST_DEVICE explicit RequantizeOp(const Params& params) : params_(params) {}
  CUTLASS_HOST_DEVICE bool is_source_needed() const { return params_.adds; }
  CUTLASS_HOST_DEVICE void set_k_partition(int, int) {}

  CUTLASS_HOST_DEVICE void operator()(FragmentZ& out, FragmentT&, const FragmentAccumulator& sums,
                                      const FragmentC& residual, const FragmentCompute& vector) const {
    CUTLASS_PRAGMA_UNROLL
    for (int i = 0; i < kCount; ++i) {
      out[i] = CodeFrom(sums[i], vector[i].real(), vector[i].imag(), static_cast<float>(residual[i]),
                        params_.residual_scale, params_.adds, params_.highest);
    }
  }
  CUTLASS_HOST_DEVICE void operator()(FragmentZ& out, FragmentT&, const FragmentAccumulator& sums,
                                      const FragmentCompute& vector) const {
    CUTLASS_PRAGMA_UNROLL
    for (int i = 0; i < kCount; ++i) {
      out[i] = CodeFrom(sums[i], vector[i].real(), vector[i].imag(), 0, 0, false, params_.highest);
    }
  }

 private:
  Params params_;
};

template <class A, class B, class Arch, class Instruction, int kDepth, int kStages>
using ConvKernelOf = typename cutlass::conv::kernel::DefaultConv2dFpropWithBroadcast<
    A, cutlass::layout::TensorNHWC, B, cutlass::layout::TensorNHWC, uint8_t, cutlass::layout::TensorNHWC, int32_t,
    cutlass::arch::OpClassTensorOp, Arch, cutlass::gemm::GemmShape<128, 128, kDepth>,
    cutlass::gemm::GemmShape<64, 64, kDepth>, Instruction, RequantizeOp,
    cutlass::gemm::threadblock::GemmIdentityThreadblockSwizzle<4>, kStages, cutlass::arch::OpMultiplyAddSaturate,
    cutlass::conv::IteratorAlgorithm::kOptimized, cutlass::conv::StrideSupport::kStrided>::Kernel;

using Bytes75 = ConvKernelOf<uint8_t, int8_t, cutlass::arch::Sm75, cutlass::gemm::GemmShape<8, 8, 16>, 64, 2>;
using Bytes80 = ConvKernelOf<uint8_t, int8_t, cutlass::arch::Sm80, cutlass::gemm::GemmShape<16, 8, 32>, 64, 3>;
using Nibbles75 =
    ConvKernelOf<cutlass::uint4b_t, cutlass::int4b_t, cutlass::arch::Sm75, cutlass::gemm::GemmShape<8, 8, 32>, 128, 2>;
using Nibbles80 =
    ConvKernelOf<cutlass::uint4b_t, cutlass::int4b_t, cutlass::arch::Sm80, cutlass::gemm::GemmShape<16, 8, 64>, 128, 3>;

// Architectures from kFirst to kLast have the kernel; others a trap, so that no emulated path ships.
template <class Kernel, int kFirst, int kLast>
__global__ __launch_bounds__(Kernel::kThreadCount) void CutlassKernel(const __grid_constant__
                                                                      typename Kernel::Params params) {
#ifdef __CUDA_ARCH__
  if constexpr (__CUDA_ARCH__ >= kFirst * 10 && __CUDA_ARCH__ <= kLast * 10) {
    extern __shared__ __align__(16) uint8_t shared[];
    Kernel kernel;
    kernel(params, *reinterpret_cast<typename Kernel::SharedStorage*>(shared));
  } else {
    __trap();
  }
#endif
}

template <class Kernel, int kFirst, int kLast>
int LaunchWith(const CutlassConvCall& call, cudaStream_t stream) {
  const ConvGeometry& g = call.geometry;
  const int images = static_cast<int>(g.images);
  const cutlass::conv::Conv2dProblemSize problem(
      {images, g.in_height, g.in_width, call.in_stored}, {g.out_stored, g.kernel, g.kernel, call.in_stored},
      {g.padding, g.padding, g.padding, g.padding}, {g.stride, g.stride}, {1, 1},
      {images, g.out_height, g.out_width, g.out_stored}, cutlass::conv::Mode::kCrossCorrelation, 1);
  using Layout = cutlass::layout::TensorNHWC;
  const auto packed = [](int n, int h, int w, int c) { return Layout::packed({n, h, w, c}); };
  const Layout out_layout = packed(images, g.out_height, g.out_width, g.out_stored);
  const Layout residual_layout = packed(images, g.out_height, g.out_width, call.epilogue.residual_stored);
  using A = typename Kernel::ElementA;
  using B = typename Kernel::ElementB;
  auto* residual = static_cast<uint8_t*>(const_cast<void*>(call.epilogue.residual));
  typename Kernel::Arguments arguments(
      problem, {static_cast<A*>(const_cast<void*>(call.in)), packed(images, g.in_height, g.in_width, call.in_stored)},
      {static_cast<B*>(const_cast<void*>(call.weights)), packed(g.out_stored, g.kernel, g.kernel, call.in_stored)},
      {residual, residual == nullptr ? out_layout : residual_layout}, {static_cast<uint8_t*>(call.out), out_layout},
      {.residual_scale = call.epilogue.residual_scale, .highest = call.epilogue.highest, .adds = residual != nullptr},
      cutlass::conv::SplitKMode::kSerial, const_cast<float*>(call.epilogue.scale_and_bias), nullptr, 0, 0);
  const typename Kernel::Params params(arguments, nullptr);
  constexpr int kSharedBytes = sizeof(typename Kernel::SharedStorage);
  const auto kernel = CutlassKernel<Kernel, kFirst, kLast>;
  if (kSharedBytes > 48 << 10) {
    const cudaError_t error = cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, kSharedBytes);
    if (error != cudaSuccess) return error;
  }
  const dim3 grid = typename Kernel::ThreadblockSwizzle().get_grid_shape(params.grid_tiled_shape);
  kernel<<<grid, Kernel::kThreadCount, kSharedBytes, stream>>>(params);
  return cudaGetLastError();
}

}  // namespace

int LaunchCutlass(const CutlassConvCall& call, void* stream) {
  const auto on = static_cast<cudaStream_t>(stream);
  if (call.operand == Operand::kNibbles) {
    return call.architecture < 80 ? LaunchWith<Nibbles75, 75, 75>(call, on) : LaunchWith<Nibbles80, 80, 89>(call, on);
  }
  return call.architecture < 80 ? LaunchWith<Bytes75, 75, 75>(call, on) : LaunchWith<Bytes80, 80, 999>(call, on);
}

}  // namespace anybit::model::cuda
