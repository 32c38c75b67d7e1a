// A block of a kernel on the device: what testing/host_block.h emulates.
#ifndef ANYBIT_MODEL_KERNELS_CUDA_DEVICE_BLOCK_CUH_
#define ANYBIT_MODEL_KERNELS_CUDA_DEVICE_BLOCK_CUH_

#include <cstdint>

#include "model/kernels/cuda/calls.h"

namespace anybit::model::cuda {

namespace mma {

#if __CUDA_ARCH__ >= 800
#define ANYBIT_MMA(shape_and_types, suffix)                                                                        \
  asm volatile("mma.sync.aligned." shape_and_types suffix " {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};" \
               : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])                                                    \
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]))
#else
// sm_75 has a quarter of these: the registers of the four quarters are those of the whole.
#define ANYBIT_QUARTER(shape_and_types, suffix, i, k)                                      \
  asm volatile("mma.sync.aligned." shape_and_types suffix " {%0,%1}, {%2}, {%3}, {%0,%1};" \
               : "+r"(c[2 * (i)]), "+r"(c[2 * (i) + 1])                                    \
               : "r"(a[(i) + 2 * (k)]), "r"(b[k]))
#define ANYBIT_MMA(shape_and_types, suffix)      \
  ANYBIT_QUARTER(shape_and_types, suffix, 0, 0); \
  ANYBIT_QUARTER(shape_and_types, suffix, 0, 1); \
  ANYBIT_QUARTER(shape_and_types, suffix, 1, 0); \
  ANYBIT_QUARTER(shape_and_types, suffix, 1, 1)
#endif

// An operand that an architecture does not have natively is never offered there (algorithm.h); its kernel traps, so
// that no emulated path can ship.
template <Operand kOperand>
__device__ __forceinline__ void Multiply(int32_t* c, const uint32_t* a, const uint32_t* b) {
#if __CUDA_ARCH__ >= 800
  if constexpr (kOperand == Operand::kBytes) {
    ANYBIT_MMA("m16n8k32.row.col.s32.u8.s8.s32", "");
    return;
  }
#if __CUDA_ARCH__ < 900
  if constexpr (kOperand == Operand::kNibbles) {
    ANYBIT_MMA("m16n8k64.row.col.s32.u4.s4.s32", "");
    return;
  }
#endif
#if __CUDA_ARCH__ <= 900
  if constexpr (kOperand == Operand::kBitsAnd) {
    ANYBIT_MMA("m16n8k256.row.col.s32.b1.b1.s32", ".and.popc");
    return;
  }
#endif
#else
  if constexpr (kOperand == Operand::kBytes) {
    ANYBIT_MMA("m8n8k16.row.col.s32.u8.s8.s32", "");
    return;
  }
  if constexpr (kOperand == Operand::kNibbles) {
    ANYBIT_MMA("m8n8k32.row.col.s32.u4.s4.s32", "");
    return;
  }
  if constexpr (kOperand == Operand::kBitsXor) {
    ANYBIT_MMA("m8n8k128.row.col.s32.b1.b1.s32", ".xor.popc");
    return;
  }
#endif
  __trap();
}

// Products of bfloat16 numbers, with sums of floats.
template <Operand kOperand>
__device__ __forceinline__ void Multiply(float* c, const uint32_t* a, const uint32_t* b) {
#if __CUDA_ARCH__ >= 800
  static_assert(kOperand == Operand::kBfloat16);
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
  __trap();
#endif
}

}  // namespace mma

// Whether the instance for `kOperand` has a body in this compilation.
template <Operand kOperand>
__device__ constexpr bool IsNative() {
#ifdef __CUDA_ARCH__
  if (kOperand == Operand::kNibbles) return __CUDA_ARCH__ < 900;
  if (kOperand == Operand::kBitsAnd) return __CUDA_ARCH__ >= 800 && __CUDA_ARCH__ <= 900;
  if (kOperand == Operand::kBitsXor) return __CUDA_ARCH__ < 800;
  if (kOperand == Operand::kBfloat16) return __CUDA_ARCH__ >= 800;
#endif
  return true;
}

class DeviceBlock {
 public:
  template <class T>
  class PerThread {
   public:
    __device__ __forceinline__ T& operator[](int) { return value_; }

   private:
    T value_;
  };
  template <class Sum>
  struct Registers {
    Sum* c;
    const uint32_t* a;
    const uint32_t* b;
  };

  __device__ __forceinline__ int64_t index() const { return blockIdx.x; }

  template <class Work>
  __device__ __forceinline__ void EachThread(const Work& work) {
    work(static_cast<int>(threadIdx.x));
  }
  template <class Work>
  __device__ __forceinline__ void EachWarp(const Work& work) {
    work(static_cast<int>(threadIdx.x / 32));
  }
  template <class Work>
  __device__ __forceinline__ void EachLane(int, const Work& work) {
    work(static_cast<int>(threadIdx.x));
  }
  __device__ __forceinline__ void Barrier() { __syncthreads(); }

  template <int kWords>
  __device__ __forceinline__ void CopyWords(uint32_t* to, const uint32_t* from, bool valid) {
#if __CUDA_ARCH__ >= 800
    const auto shared = static_cast<uint32_t>(__cvta_generic_to_shared(to));
    const int bytes = valid ? kWords * 4 : 0;  // the rest becomes zeros
    if constexpr (kWords == 4) {
      asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared), "l"(from), "r"(bytes) : "memory");
    } else {
      asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(shared), "l"(from), "r"(bytes) : "memory");
    }
#else
    if constexpr (kWords == 4) {
      *reinterpret_cast<uint4*>(to) = valid ? *reinterpret_cast<const uint4*>(from) : uint4{0, 0, 0, 0};
    } else {
      *to = valid ? *from : 0;
    }
#endif
  }
  __device__ __forceinline__ void CommitCopies() {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.commit_group;" ::: "memory");
#endif
  }
  template <int kGroups>
  __device__ __forceinline__ void AwaitCopies() {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.wait_group %0;" ::"n"(kGroups) : "memory");
#endif
  }

  template <Operand kOperand, class OfThread>
  __device__ __forceinline__ void Multiply(int, const OfThread& of_thread) {
    const auto registers = of_thread(static_cast<int>(threadIdx.x));
    mma::Multiply<kOperand>(registers.c, registers.a, registers.b);
  }

  template <class OfThread>
  __device__ __forceinline__ void SumOverQuads(const OfThread& of_thread) {
    auto& value = of_thread(static_cast<int>(threadIdx.x));
    value += __shfl_xor_sync(0xffffffffu, value, 1);
    value += __shfl_xor_sync(0xffffffffu, value, 2);
  }
  template <class OfThread>
  __device__ __forceinline__ void SumOverWarp(int, const OfThread& of_thread) {
    auto& value = of_thread(static_cast<int>(threadIdx.x));
    for (int distance = 16; distance > 0; distance /= 2) {
      if constexpr (sizeof(value) == 8) {
        value += __shfl_xor_sync(0xffffffffu, static_cast<long long>(value), distance);
      } else {
        value += __shfl_xor_sync(0xffffffffu, value, distance);
      }
    }
  }
};

}  // namespace anybit::model::cuda

#endif  // ANYBIT_MODEL_KERNELS_CUDA_DEVICE_BLOCK_CUH_
