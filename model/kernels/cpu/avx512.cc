// AVX-512 with VNNI: dot products on vectors of 64 bytes, one to a panel block.
#include <immintrin.h>

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "model/kernels/cpu/kernel_table.h"
#ifdef ANYBIT_MODEL_BFLOAT16
#include "model/kernels/cpu/testing/modelled_bfloat16.h"
#endif

#define ANYBIT_UNROLL _Pragma("GCC unroll 32")

namespace anybit::model {
namespace {

struct Isa {
  using Vector = __m512i;
  static constexpr int kVectorBytes = 64;
  // 6 x 4 accumulators: 10 loads for 24 dot products. Some processors do little more than one load of 64 bytes a cycle,
  // broadcasts included, beside two dot products; 8 x 2 would take 10 loads for 16.
  static constexpr int kPixels = 8, kBlocks = 4;
  static constexpr int PixelsFor(int blocks) { return blocks == 4 ? 6 : 8; }
  static constexpr bool kHasBytes = true;
  static constexpr bool kNarrowBytes = false;

  static constexpr bool kFinishesGroups = true, kPrefetches = true;
  static constexpr bool kSharesColumns = true;

  static Vector Load(const uint8_t* p) { return _mm512_load_si512(p); }

  static Vector Broadcast(const uint8_t* p) {
    int32_t x;
    std::memcpy(&x, p, sizeof(x));
    return _mm512_set1_epi32(x);
  }

  static uint32_t LanesWithBit(const uint8_t* codes, int bit) {
    return _mm_test_epi8_mask(_mm_loadu_si128(reinterpret_cast<const __m128i*>(codes)), _mm_set1_epi8(1 << bit));
  }

  static uint32_t WordWithBit(const uint8_t* codes, int bit) {
    return _mm256_test_epi8_mask(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes)),
                                 _mm256_set1_epi8(1 << bit));
  }

  static Vector WidenCodes(const int8_t* codes) {
    return _mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes)));
  }

  static int64_t SumOfLanes(const Vector* v, int count) {
    Vector sum = v[0];
    for (int i = 1; i < count; ++i) sum = _mm512_add_epi32(sum, v[i]);
    const Vector low = _mm512_cvtepi32_epi64(_mm512_castsi512_si256(sum));
    return _mm512_reduce_add_epi64(_mm512_add_epi64(low, _mm512_cvtepi32_epi64(_mm512_extracti64x4_epi64(sum, 1))));
  }

  static void PairWords(const uint8_t* a, const uint8_t* b, Vector* x) {
    const __m128i first = _mm_loadu_si128(reinterpret_cast<const __m128i*>(a));
    const __m128i second = _mm_loadu_si128(reinterpret_cast<const __m128i*>(b));
    const __m256i pairs = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_unpacklo_epi8(first, second)),
                                                  _mm_unpackhi_epi8(first, second), 1);
    *x = _mm512_cvtepu8_epi16(pairs);
  }

  static void Finish(const int32_t* sums, const Epilogue& e, const uint8_t* residual, uint8_t* out) {
    __m512 y =
        _mm512_fmadd_ps(_mm512_cvtepi32_ps(_mm512_load_si512(sums)), _mm512_loadu_ps(e.scale), _mm512_loadu_ps(e.bias));
    if (residual != nullptr) {
      const __m128i codes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(residual));
      y = _mm512_fmadd_ps(_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(codes)), _mm512_set1_ps(e.residual_scale), y);
    }
    y = _mm512_max_ps(_mm512_min_ps(y, _mm512_set1_ps(e.highest)), _mm512_setzero_ps());
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(y)));
  }

  // Sums as codes, clamped from above: below 0 the packing clamps.
  template <bool kResidual>
  static Vector Round(Vector sums, __m512 scale, __m512 bias, const uint8_t* residual, const Epilogue& e) {
    __m512 y = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sums), scale, bias);
    if constexpr (kResidual) {
      const __m128i codes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(residual));
      y = _mm512_fmadd_ps(_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(codes)), _mm512_set1_ps(e.residual_scale), y);
    }
    return _mm512_cvtps_epi32(_mm512_min_ps(y, _mm512_set1_ps(e.highest)));
  }

  // Takes the sums of a group through the epilogue. Four vectors of codes share three packings: those of four pixels,
  // of two pixels' two blocks, or of one pixel's three or four.
  template <int kGroupPixels, int kGroupBlocks, bool kResidual>
  static void FinishGroup(Vector (*acc)[kGroupBlocks], const Epilogue& e, int64_t lane, const void* const* residuals,
                          void* const* outputs) {
    ANYBIT_UNROLL for (int b = 0; b < kGroupBlocks; ++b) {
      const __m512 scale = _mm512_loadu_ps(e.scale + b * kLanes), bias = _mm512_loadu_ps(e.bias + b * kLanes);
      ANYBIT_UNROLL for (int i = 0; i < kGroupPixels; ++i) {
        const auto* residual = kResidual ? static_cast<const uint8_t*>(residuals[i]) + lane + b * kLanes : nullptr;
        acc[i][b] = Round<kResidual>(acc[i][b], scale, bias, residual, e);
      }
    }
    constexpr int kTogether = kGroupBlocks > 2 ? 1 : 4 / kGroupBlocks;  // pixels
    ANYBIT_UNROLL for (int first = 0; first < kGroupPixels; first += kTogether) {
      Vector codes[4];
      ANYBIT_UNROLL for (int v = 0; v < 4; ++v) {
        const int i = first + v / kGroupBlocks, b = v % kGroupBlocks;
        codes[v] = v < kTogether * kGroupBlocks && i < kGroupPixels ? acc[i][b] : acc[first][0];
      }
      const Vector bytes = PackFour(codes);
      ANYBIT_UNROLL for (int p = 0; p < kTogether; ++p) {
        if (first + p >= kGroupPixels) continue;
        StoreBlocks<kGroupBlocks>(bytes, p, static_cast<uint8_t*>(outputs[first + p]) + lane);
      }
    }
  }

  // Sums of one block of four pixels through the epilogue.
  template <bool kResidual>
  static void FinishFour(const Vector* sums, const Epilogue& e, const uint8_t* const* residuals,
                         uint8_t* const* outputs) {
    const __m512 scale = _mm512_loadu_ps(e.scale), bias = _mm512_loadu_ps(e.bias);
    Vector codes[4];
    ANYBIT_UNROLL for (int i = 0; i < 4; ++i) {
      codes[i] = Round<kResidual>(sums[i], scale, bias, kResidual ? residuals[i] : nullptr, e);
    }
    const Vector bytes = PackFour(codes);
    ANYBIT_UNROLL for (int i = 0; i < 4; ++i) StoreQuarter(bytes, i, outputs[i]);
  }

  // The codes of four vectors as bytes, one vector after the other.
  static Vector PackFour(const Vector* codes) {
    // Each 128 bits: 4 codes of each of the four.
    const Vector mixed =
        _mm512_packus_epi16(_mm512_packs_epi32(codes[0], codes[1]), _mm512_packs_epi32(codes[2], codes[3]));
    return _mm512_permutexvar_epi32(_mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15), mixed);
  }

  // The bytes of the pixel number `pixel` in `bytes`, which holds kGroupBlocks times 16 of each.
  template <int kGroupBlocks>
  static void StoreBlocks(Vector bytes, int pixel, uint8_t* out) {
    if constexpr (kGroupBlocks == 4) {
      _mm512_storeu_si512(out, bytes);
    } else if constexpr (kGroupBlocks == 3) {
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), _mm512_castsi512_si256(bytes));
      StoreQuarter(bytes, 2, out + 2 * kLanes);
    } else if constexpr (kGroupBlocks == 2) {
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(out),
                          pixel == 0 ? _mm512_castsi512_si256(bytes) : _mm512_extracti64x4_epi64(bytes, 1));
    } else {
      StoreQuarter(bytes, pixel, out);
    }
  }

  // 16 bytes of four.
  static void StoreQuarter(Vector v, int quarter, uint8_t* out) {
    auto* to = reinterpret_cast<__m128i*>(out);
    switch (quarter) {
      case 0: _mm_storeu_si128(to, _mm512_castsi512_si128(v)); break;
      case 1: _mm_storeu_si128(to, _mm512_extracti32x4_epi32(v, 1)); break;
      case 2: _mm_storeu_si128(to, _mm512_extracti32x4_epi32(v, 2)); break;
      case 3: _mm_storeu_si128(to, _mm512_extracti32x4_epi32(v, 3)); break;
    }
  }

  static void FinishFloats(const float* sums, const Epilogue& e, const float* residual, float* out) {
    FinishFloatVector(_mm512_loadu_ps(sums), _mm512_loadu_ps(e.scale), _mm512_loadu_ps(e.bias), e, residual, out);
  }

  // Takes the sums of a group of floats through the epilogue.
  template <int kGroupPixels, int kGroupBlocks>
  static void FinishFloatGroup(Vector (*acc)[kGroupBlocks], const Epilogue& e, int64_t lane,
                               const void* const* residuals, void* const* outputs) {
    ANYBIT_UNROLL for (int b = 0; b < kGroupBlocks; ++b) {
      const __m512 scale = _mm512_loadu_ps(e.scale + b * kLanes), bias = _mm512_loadu_ps(e.bias + b * kLanes);
      const int64_t at = lane + b * kLanes;
      ANYBIT_UNROLL for (int i = 0; i < kGroupPixels; ++i) {
        FinishFloatVector(_mm512_castsi512_ps(acc[i][b]), scale, bias, e,
                          residuals == nullptr ? nullptr : static_cast<const float*>(residuals[i]) + at,
                          static_cast<float*>(outputs[i]) + at);
      }
    }
  }

  [[gnu::always_inline]] static void FinishFloatVector(__m512 sums, __m512 scale, __m512 bias, const Epilogue& e,
                                                       const float* residual, float* out) {
    __m512 y = _mm512_fmadd_ps(sums, scale, bias);
    if (residual != nullptr) y = _mm512_fmadd_ps(_mm512_loadu_ps(residual), _mm512_set1_ps(e.residual_scale), y);
    y = _mm512_max_ps(y, _mm512_set1_ps(e.lowest));
    if (e.bfloat16) {
      const Vector bits = _mm512_castps_si512(y), one = _mm512_set1_epi32(1);
      const Vector odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), one);
      const Vector up = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
      y = _mm512_castsi512_ps(_mm512_and_si512(up, UpperHalves()));
    }
    _mm512_storeu_ps(out, y);
  }

  static Vector UpperHalves() { return _mm512_set1_epi32(static_cast<int32_t>(0xffff0000)); }
};

struct PlainSums {
  static constexpr bool kBytes = false, kSigns = false, kFloats = false;
  static constexpr int64_t kMaxSteps = kUnlimitedSteps;
  static constexpr int kPixels = Isa::kPixels;
  static constexpr int kHalves = 1;

  static constexpr int kWeightBytes = sizeof(Isa::Vector);

  static Isa::Vector Zero() { return _mm512_setzero_si512(); }

  static Isa::Vector LoadWeights(const uint8_t* p) { return Isa::Load(p); }

  static void StoreSums(const Isa::Vector* acc, int32_t* sums) { _mm512_store_si512(sums, acc[0]); }

  static void AddSums(const Isa::Vector* acc, int32_t* sums, int shift) {
    const Isa::Vector shifted = _mm512_sll_epi32(acc[0], _mm_cvtsi32_si128(shift));
    _mm512_store_si512(sums, _mm512_add_epi32(_mm512_load_si512(sums), shifted));
  }
};

// GCC 12 copies and spills accumulators around the intrinsics of dot products; it leaves inline
// assembly alone.
struct Words : PlainSums {
  static Isa::Vector Step(Isa::Vector acc, Isa::Vector x, Isa::Vector w) {
    asm("vpdpwssd %2, %1, %0" : "+v"(acc) : "v"(x), "v"(w));
    return acc;
  }
};

using DirectWords = Words;

struct Bytes : PlainSums {
  static constexpr bool kBytes = true;

  static Isa::Vector Step(Isa::Vector acc, Isa::Vector x, Isa::Vector w) {
    asm("vpdpbusd %2, %1, %0" : "+v"(acc) : "v"(x), "v"(w));
    return acc;
  }

  using Init = Isa::Vector;

  static Init LoadInit(const int32_t* init) { return _mm512_loadu_si512(init); }

  static constexpr bool kStartsFromInit = true;
  static void Start(const Init& init, Isa::Vector* acc) { acc[0] = init; }

  static void StoreLanes(const Isa::Vector* acc, const Init&, uint8_t* lanes) { _mm512_store_si512(lanes, acc[0]); }
};

struct FloatSums : PlainSums {
  static constexpr bool kFloats = true;
  static constexpr int kValueBytes = 4;

  static void AddFloats(const Isa::Vector* acc, float* sums) {
    _mm512_store_ps(sums, _mm512_add_ps(_mm512_load_ps(sums), _mm512_castsi512_ps(acc[0])));
  }
};

struct Floats : FloatSums {
  static Isa::Vector Step(Isa::Vector acc, Isa::Vector x, Isa::Vector w) {
    asm("vfmadd231ps %2, %1, %0" : "+v"(acc) : "v"(x), "v"(w));
    return acc;
  }
};

// The weights of two inputs, the first in the lower halves. Read and widened in one instruction: all that is kept in
// registers are the accumulators and one half of the weights.
struct Bfloats : Floats {
  static constexpr int kHalves = 2, kValueBytes = 2;
  static constexpr int kPixels = 5;  // with 6 x 4 accumulators GCC 12 spills

  static Isa::Vector LoadFirst(const uint8_t* p) {
    Isa::Vector w;
    asm("vpslld $16, %1, %0" : "=v"(w) : "m"(*reinterpret_cast<const Isa::Vector*>(p)));
    return w;
  }

  static Isa::Vector LoadSecond(const uint8_t* p) {
    Isa::Vector w;
    asm("vpandd %1, %2, %0" : "=v"(w) : "m"(*reinterpret_cast<const Isa::Vector*>(p)), "v"(Isa::UpperHalves()));
    return w;
  }
};

#include "model/kernels/cpu/avx512_bfloat16.inc"

struct Signs : PlainSums {
  static constexpr bool kSigns = true;

  static Isa::Vector Double(Isa::Vector acc) { return _mm512_add_epi32(acc, acc); }

  // From the sums where weights are +1 to those of weights +-1: twice the former less the sum of all.
  template <int kBlocks>
  static void TakeSigns(Isa::Vector* acc, int32_t window_sum) {
    const Isa::Vector all = _mm512_set1_epi32(window_sum);
    ANYBIT_UNROLL for (int b = 0; b < kBlocks; ++b) acc[b] = _mm512_sub_epi32(Double(acc[b]), all);
  }

  static Isa::Vector Step(Isa::Vector acc, Isa::Vector x, Isa::Vector w) {
    return _mm512_add_epi32(acc, _mm512_popcnt_epi32(_mm512_and_si512(x, w)));
  }
};

// Processors that have VNNI and no VPOPCNTDQ count by table look-up of nibbles, in bytes: at most 8 a step.
struct SignsByTable : PlainSums {
  static constexpr bool kSigns = true;
  static constexpr int64_t kMaxSteps = 31;

  static Isa::Vector Step(Isa::Vector acc, Isa::Vector x, Isa::Vector w) {
    const Isa::Vector counts = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
    const Isa::Vector nibble = _mm512_set1_epi8(15), both = _mm512_and_si512(x, w);
    const Isa::Vector low = _mm512_shuffle_epi8(counts, _mm512_and_si512(both, nibble));
    const Isa::Vector high = _mm512_shuffle_epi8(counts, _mm512_and_si512(_mm512_srli_epi16(both, 4), nibble));
    return _mm512_add_epi8(acc, _mm512_add_epi8(low, high));
  }

  static void AddSums(const Isa::Vector* acc, int32_t* sums, int shift) {
    // Sums of the four bytes of each 32-bit lane.
    const Isa::Vector pairs = _mm512_maddubs_epi16(acc[0], _mm512_set1_epi8(1));
    const Isa::Vector total = _mm512_madd_epi16(pairs, _mm512_set1_epi16(1));
    PlainSums::AddSums(&total, sums, shift);
  }
};

#include "model/kernels/cpu/kernels.inc"
// Uses its operands.
#include "model/kernels/cpu/avx512_depthwise.inc"

template <class SignsOperand, class BfloatsOperand>
constexpr KernelTable MakeAvx512Table() {
  KernelTable table = MakeTable<SignsOperand, BfloatsOperand>("avx512");
  table.depthwise_3x3 = Depthwise3x3;
  return table;
}

}  // namespace

#ifdef ANYBIT_MODEL_BFLOAT16
#define ANYBIT_ACCESSOR ModelledAvx512Kernels
#else
#define ANYBIT_ACCESSOR Avx512Kernels
#endif

const KernelTable& ANYBIT_ACCESSOR(const Avx512Extensions& extensions) {
  static constexpr KernelTable kTables[] = {MakeAvx512Table<SignsByTable, Bfloats>(), MakeAvx512Table<Signs, Bfloats>(),
                                            MakeAvx512Table<SignsByTable, BfloatPairs>(),
                                            MakeAvx512Table<Signs, BfloatPairs>()};
  return kTables[(extensions.vector_popcount ? 1 : 0) + (extensions.bfloat16 ? 2 : 0)];
}

}  // namespace anybit::model
