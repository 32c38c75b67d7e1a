// AVX2: words by VPMADDWD, exact; bytes by VPMADDUBSW into 16-bit lanes, for operands small enough.
#include <immintrin.h>

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "model/kernels/cpu/kernel_table.h"

#define ANYBIT_UNROLL _Pragma("GCC unroll 32")
#define ANYBIT_NARROW_BYTES true

namespace anybit::model {
namespace {

#include "model/kernels/cpu/avx2.inc"

struct Words : PlainSums {
  static Isa::Vector Step(Isa::Vector acc, Isa::Vector x, Isa::Vector w) {
    return _mm256_add_epi32(acc, _mm256_madd_epi16(x, w));
  }
};

// Weights of direct layers have 8 bits; panels keep them so, which halves the bytes that wide layers stream.
struct DirectWords : Words {
  static constexpr int kWeightBytes = sizeof(__m128i);

  static Isa::Vector LoadWeights(const uint8_t* p) {
    return _mm256_cvtepi8_epi16(_mm_load_si128(reinterpret_cast<const __m128i*>(p)));
  }
};

// Two 16-bit sums an output, each of two of the four weights. The packing of the panel ensures that no pair of products
// saturates; the sums wrap.
struct Bytes : PlainSums {
  static constexpr bool kBytes = true;

  static Isa::Vector Step(Isa::Vector acc, Isa::Vector x, Isa::Vector w) {
    // As intrinsics GCC 12 moves products away from their additions, runs out of registers and spills accumulators.
    Isa::Vector products;
    asm("vpmaddubsw %3, %2, %1\n\tvpaddw %1, %0, %0" : "+x"(acc), "=&x"(products) : "x"(x), "x"(w));
    return acc;
  }

  static void StoreSums(const Isa::Vector* acc, int32_t* sums) {
    Isa::Vector wide[2];
    Widen(acc, wide);
    PlainSums::StoreSums(wide, sums);
  }

  static void AddSums(const Isa::Vector* acc, int32_t* sums, int shift) {
    Isa::Vector wide[2];
    Widen(acc, wide);
    PlainSums::AddSums(wide, sums, shift);
  }

  using Init = Isa::Vector;

  // The low halves of init, in order.
  static Init LoadInit(const int32_t* init) {
    const Isa::Vector low = _mm256_set1_epi32(0xffff);
    const auto* from = reinterpret_cast<const Isa::Vector*>(init);
    const Isa::Vector first = _mm256_and_si256(_mm256_loadu_si256(from), low);
    const Isa::Vector second = _mm256_and_si256(_mm256_loadu_si256(from + 1), low);
    return _mm256_permute4x64_epi64(_mm256_packus_epi32(first, second), 0xd8);
  }

  static void StoreLanes(const Isa::Vector* acc, const Init& init, uint8_t* lanes) {
    const Isa::Vector sums = _mm256_permute4x64_epi64(_mm256_hadd_epi16(acc[0], acc[1]), 0xd8);
    _mm256_store_si256(reinterpret_cast<Isa::Vector*>(lanes), _mm256_add_epi16(sums, init));
  }

 private:
  static void Widen(const Isa::Vector* acc, Isa::Vector* wide) {
    for (int half = 0; half < 2; ++half) wide[half] = _mm256_madd_epi16(acc[half], _mm256_set1_epi16(1));
  }
};

#include "model/kernels/cpu/kernels.inc"

}  // namespace

const KernelTable& Avx2Kernels() {
  static constexpr KernelTable kTable = MakeTable("avx2");
  return kTable;
}

}  // namespace anybit::model
