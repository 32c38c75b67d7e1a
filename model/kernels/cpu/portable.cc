// Plain C++ that compilers vectorise for the target of the build. For x86-64 it adds the one baseline instruction that
// compilers do not find by themselves.
#include <cstdint>
#include <cstring>
#include <type_traits>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "model/format/bfloat16.h"
#include "model/format/requantize.h"
#include "model/kernels/cpu/kernel_table.h"

#define ANYBIT_UNROLL _Pragma("GCC unroll 32")

namespace anybit::model {
namespace {

struct Isa {
  typedef int32_t Vector __attribute__((vector_size(16)));
  static constexpr int kVectorBytes = 16;
  static constexpr int kPixels = 3, kBlocks = 1;
  static constexpr int PixelsFor(int) { return kPixels; }
  static constexpr bool kHasBytes = false;
  static constexpr bool kFinishesGroups = false, kPrefetches = false;
  static constexpr bool kSharesColumns = false;
  static constexpr bool kNarrowBytes = false;

  static Vector Load(const uint8_t* p) {
    Vector v;
    std::memcpy(&v, p, sizeof(v));
    return v;
  }

  static Vector Broadcast(const uint8_t* p) {
    int32_t x;
    std::memcpy(&x, p, sizeof(x));
    return Vector{x, x, x, x};
  }

  static uint32_t LanesWithBit(const uint8_t* codes, int bit) {
    uint32_t lanes = 0;
    for (int l = 0; l < kLanes; ++l) lanes |= static_cast<uint32_t>(codes[l] >> bit & 1) << l;
    return lanes;
  }

  static uint32_t WordWithBit(const uint8_t* codes, int bit) {
    return LanesWithBit(codes, bit) | LanesWithBit(codes + kLanes, bit) << kLanes;
  }

  static Vector WidenCodes(const int8_t* codes) {
    int16_t words[8];
    for (int i = 0; i < 8; ++i) words[i] = codes[i];
    Vector wide;
    std::memcpy(&wide, words, sizeof(wide));
    return wide;
  }

  static int64_t SumOfLanes(const Vector* v, int count) {
    int64_t sum = 0;
    for (int i = 0; i < count; ++i) {
      for (int lane = 0; lane < 4; ++lane) sum += v[i][lane];
    }
    return sum;
  }

  static void PairWords(const uint8_t* a, const uint8_t* b, Vector* x) {
    uint16_t words[2 * kLanes];
    for (int l = 0; l < kLanes; ++l) {
      words[2 * l] = a[l];
      words[2 * l + 1] = b[l];
    }
    std::memcpy(x, words, sizeof(words));
  }

  static void Finish(const int32_t* sums, const Epilogue& e, const uint8_t* residual, uint8_t* out) {
    const int highest = static_cast<int>(e.highest);
    for (int l = 0; l < kLanes; ++l) {
      out[l] = residual == nullptr
                   ? Requantize(sums[l], e.scale[l], e.bias[l], highest)
                   : RequantizeWithResidual(sums[l], e.scale[l], e.bias[l], residual[l], e.residual_scale, highest);
    }
  }

  static void FinishFloats(const float* sums, const Epilogue& e, const float* residual, float* out) {
    for (int l = 0; l < kLanes; ++l) {
      float y = sums[l] * e.scale[l] + e.bias[l];
      if (residual != nullptr) y += residual[l] * e.residual_scale;
      out[l] = y > e.lowest ? y : e.lowest;
      if (e.bfloat16) out[l] = RoundToBfloat16(out[l]);
    }
  }
};

struct PlainSums {
  static constexpr bool kBytes = false, kSigns = false, kFloats = false;
  static constexpr int64_t kMaxSteps = kUnlimitedSteps;
  static constexpr int kPixels = Isa::kPixels;
  static constexpr int kHalves = 1;

  static constexpr int kWeightBytes = sizeof(Isa::Vector);

  static Isa::Vector Zero() { return Isa::Vector{}; }

  static Isa::Vector LoadWeights(const uint8_t* p) { return Isa::Load(p); }

  static void StoreSums(const Isa::Vector* acc, int32_t* sums) {
    for (int i = 0; i < 4; ++i) std::memcpy(sums + 4 * i, &acc[i], sizeof(acc[i]));
  }

  static void AddSums(const Isa::Vector* acc, int32_t* sums, int shift) {
    for (int l = 0; l < kLanes; ++l) sums[l] += static_cast<int32_t>(static_cast<uint32_t>(acc[l / 4][l % 4]) << shift);
  }
};

struct Words : PlainSums {
  static Isa::Vector Step(Isa::Vector acc, Isa::Vector x, Isa::Vector w) {
#if defined(__SSE2__)
    return acc +
           reinterpret_cast<Isa::Vector>(_mm_madd_epi16(reinterpret_cast<__m128i>(x), reinterpret_cast<__m128i>(w)));
#else
    const Isa::Vector x0 = (x << 16) >> 16, w0 = (w << 16) >> 16, x1 = x >> 16, w1 = w >> 16;
    return acc + x0 * w0 + x1 * w1;
#endif
  }
};

using DirectWords = Words;

struct Floats : PlainSums {
  static constexpr bool kFloats = true;
  static constexpr int kValueBytes = 4;
  typedef float Lanes __attribute__((vector_size(16)));

  static Isa::Vector Step(Isa::Vector acc, Isa::Vector x, Isa::Vector w) {
    return reinterpret_cast<Isa::Vector>(reinterpret_cast<Lanes>(acc) +
                                         reinterpret_cast<Lanes>(x) * reinterpret_cast<Lanes>(w));
  }

  static void AddFloats(const Isa::Vector* acc, float* sums) {
    for (int l = 0; l < kLanes; ++l) sums[l] += reinterpret_cast<const Lanes&>(acc[l / 4])[l % 4];
  }
};

// The weights of two inputs, the first in the lower halves.
struct Bfloats : Floats {
  static constexpr int kHalves = 2, kValueBytes = 2;

  static Isa::Vector LoadFirst(const uint8_t* p) { return Isa::Load(p) << 16; }
  static Isa::Vector LoadSecond(const uint8_t* p) { return Isa::Load(p) & static_cast<int32_t>(0xffff0000); }
};

// Bits counted side by side in bytes: at most 8 a step.
struct Signs : PlainSums {
  static constexpr bool kSigns = true;
  static constexpr int64_t kMaxSteps = 31;
  typedef uint32_t Bits __attribute__((vector_size(16)));

  static Isa::Vector Step(Isa::Vector acc, Isa::Vector x, Isa::Vector w) {
    Bits b = reinterpret_cast<Bits>(x & w);
    b -= (b >> 1) & 0x55555555u;
    b = (b & 0x33333333u) + ((b >> 2) & 0x33333333u);
    return reinterpret_cast<Isa::Vector>(reinterpret_cast<Bits>(acc) + ((b + (b >> 4)) & 0x0f0f0f0fu));
  }

  static void AddSums(const Isa::Vector* acc, int32_t* sums, int shift) {
    Isa::Vector totals[4];
    for (int i = 0; i < 4; ++i) {
      Bits b = reinterpret_cast<Bits>(acc[i]);
      b = (b & 0x00ff00ffu) + ((b >> 8) & 0x00ff00ffu);
      totals[i] = reinterpret_cast<Isa::Vector>((b & 0xffffu) + (b >> 16));
    }
    PlainSums::AddSums(totals, sums, shift);
  }
};

struct Bytes;  // none

#include "model/kernels/cpu/kernels.inc"

}  // namespace

const KernelTable& PortableKernels() {
  static constexpr KernelTable kTable = MakeTable("portable");
  return kTable;
}

}  // namespace anybit::model
