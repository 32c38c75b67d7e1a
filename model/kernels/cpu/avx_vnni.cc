// AVX-VNNI: the dot products of VNNI on vectors of 32 bytes, for processors without AVX-512.
#include <immintrin.h>

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "model/kernels/cpu/kernel_table.h"

#define ANYBIT_UNROLL _Pragma("GCC unroll 32")
#define ANYBIT_NARROW_BYTES false

namespace anybit::model {
namespace {

#include "model/kernels/cpu/avx2.inc"

// GCC 12 copies and spills accumulators around the intrinsics of dot products; it leaves inline
// assembly alone.
struct Words : PlainSums {
  static Isa::Vector Step(Isa::Vector acc, Isa::Vector x, Isa::Vector w) {
    asm("%{vex%} vpdpwssd %2, %1, %0" : "+x"(acc) : "x"(x), "x"(w));
    return acc;
  }
};

using DirectWords = Words;

struct Bytes : PlainSums {
  static constexpr bool kBytes = true;

  static Isa::Vector Step(Isa::Vector acc, Isa::Vector x, Isa::Vector w) {
    asm("%{vex%} vpdpbusd %2, %1, %0" : "+x"(acc) : "x"(x), "x"(w));
    return acc;
  }

  struct Init {
    Isa::Vector half[2];
  };

  static Init LoadInit(const int32_t* init) {
    const auto* from = reinterpret_cast<const Isa::Vector*>(init);
    return {{_mm256_loadu_si256(from), _mm256_loadu_si256(from + 1)}};
  }

  static void StoreLanes(const Isa::Vector* acc, const Init& init, uint8_t* lanes) {
    for (int half = 0; half < 2; ++half) {
      _mm256_store_si256(reinterpret_cast<Isa::Vector*>(lanes) + half, _mm256_add_epi32(acc[half], init.half[half]));
    }
  }
};

#include "model/kernels/cpu/kernels.inc"

}  // namespace

const KernelTable& AvxVnniKernels() {
  static constexpr KernelTable kTable = MakeTable("avx_vnni");
  return kTable;
}

}  // namespace anybit::model
