// What lets one source of a kernel's body compile for the device (nvcc) and for the host (tests, without a GPU).
#ifndef ANYBIT_MODEL_KERNELS_CUDA_PORTABLE_H_
#define ANYBIT_MODEL_KERNELS_CUDA_PORTABLE_H_

#include <cmath>
#include <cstdint>

// ANYBIT_KERNEL: a function of values, for both sides. ANYBIT_BODY: one that acts on a block (host_block.h,
// device_block.cuh), of which nvcc compiles the device's side only.
#ifdef __CUDACC__
#define ANYBIT_KERNEL __host__ __device__ __forceinline__
#define ANYBIT_BODY __device__ __forceinline__
#define ANYBIT_UNROLL _Pragma("unroll")
#else
#define ANYBIT_KERNEL inline
#define ANYBIT_BODY inline
#define ANYBIT_UNROLL
#endif

namespace anybit::model::cuda {

ANYBIT_KERNEL int64_t CeilDivide(int64_t a, int64_t b) { return (a + b - 1) / b; }
ANYBIT_KERNEL int64_t RoundUpTo(int64_t a, int64_t b) { return CeilDivide(a, b) * b; }

// One rounding, on either side.
ANYBIT_KERNEL float FusedMultiplyAdd(float a, float b, float c) {
#ifdef __CUDA_ARCH__
  return __fmaf_rn(a, b, c);
#else
  return std::fma(a, b, c);
#endif
}

// To nearest even; |value| < 2^22.
ANYBIT_KERNEL int RoundToInt(float value) {
#ifdef __CUDA_ARCH__
  return __float2int_rn(value);
#else
  return static_cast<int>((value + 12582912.0f) - 12582912.0f);                // 1.5 * 2^23
#endif
}

ANYBIT_KERNEL int RoundToInt(double value) {
#ifdef __CUDA_ARCH__
  return __double2int_rn(value);
#else
  return static_cast<int>((value + 6755399441055744.0) - 6755399441055744.0);  // 1.5 * 2^52
#endif
}

ANYBIT_KERNEL int CountOnes(uint32_t word) {
#ifdef __CUDA_ARCH__
  return __popc(word);
#else
  return __builtin_popcount(word);
#endif
}

// The greater of each pair of bytes.
ANYBIT_KERNEL uint32_t MaxOfBytes(uint32_t a, uint32_t b) {
#ifdef __CUDA_ARCH__
  return __vmaxu4(a, b);
#else
  uint32_t greater = 0;
  for (int shift = 0; shift < 32; shift += 8) {
    const uint32_t x = a >> shift & 255, y = b >> shift & 255;
    greater |= (x > y ? x : y) << shift;
  }
  return greater;
#endif
}

ANYBIT_KERNEL float FloatOf(uint32_t bits) {
#ifdef __CUDA_ARCH__
  return __uint_as_float(bits);
#else
  return __builtin_bit_cast(float, bits);
#endif
}

ANYBIT_KERNEL uint32_t BitsOf(float value) {
#ifdef __CUDA_ARCH__
  return __float_as_uint(value);
#else
  return __builtin_bit_cast(uint32_t, value);
#endif
}

// The upper half of the nearest bfloat16 number, as NearestBfloat16 of model/format/bfloat16.h. `value` is finite.
ANYBIT_KERNEL uint32_t Bfloat16Of(float value) {
  const uint32_t bits = BitsOf(value);
  return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}
ANYBIT_KERNEL float RoundedToBfloat16(float value) { return FloatOf(Bfloat16Of(value) << 16); }
ANYBIT_KERNEL float RoundedIf(bool bfloat16, float value) { return bfloat16 ? RoundedToBfloat16(value) : value; }

// 16 bytes that are read and written at once.
struct alignas(16) Chunk {
  uint32_t words[4];
};

}  // namespace anybit::model::cuda

#endif  // ANYBIT_MODEL_KERNELS_CUDA_PORTABLE_H_
