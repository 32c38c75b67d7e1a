// Plain loops, shaped so that a compiler vectorises them for whatever the build targets.
#include <cstring>

#include "model/kernels/kernel_table.h"

namespace anybit {
namespace {

// Four patches by two outputs: each value loaded serves several products.
void MultiplyCodesTile(const int16_t* patches, const int16_t* weights, int64_t outputs, int64_t depth, int32_t* sums) {
  const int16_t *p0 = patches, *p1 = p0 + depth, *p2 = p1 + depth, *p3 = p2 + depth;
  const int16_t *w0 = weights, *w1 = w0 + depth;
  int32_t s00 = 0, s01 = 0, s10 = 0, s11 = 0, s20 = 0, s21 = 0, s30 = 0, s31 = 0;
  for (int64_t d = 0; d < depth; ++d) {
    s00 += p0[d] * w0[d];
    s01 += p0[d] * w1[d];
    s10 += p1[d] * w0[d];
    s11 += p1[d] * w1[d];
    s20 += p2[d] * w0[d];
    s21 += p2[d] * w1[d];
    s30 += p3[d] * w0[d];
    s31 += p3[d] * w1[d];
  }
  sums[0] = s00;
  sums[1] = s01;
  sums[outputs] = s10;
  sums[outputs + 1] = s11;
  sums[2 * outputs] = s20;
  sums[2 * outputs + 1] = s21;
  sums[3 * outputs] = s30;
  sums[3 * outputs + 1] = s31;
}

int32_t MultiplyCodesOne(const int16_t* patch, const int16_t* weights, int64_t depth) {
  int32_t sum = 0;
  for (int64_t d = 0; d < depth; ++d) sum += patch[d] * weights[d];
  return sum;
}

void MultiplyCodes(const int16_t* patches, int count, const int16_t* weights, int64_t outputs, int64_t depth,
                   int32_t* sums) {
  const int tiled_count = count / 4 * 4;
  const int64_t tiled_outputs = outputs / 2 * 2;
  for (int64_t o = 0; o < tiled_outputs; o += 2) {
    for (int p = 0; p < tiled_count; p += 4) {
      MultiplyCodesTile(patches + p * depth, weights + o * depth, outputs, depth, sums + p * outputs + o);
    }
  }
  for (int p = 0; p < count; ++p) {
    for (int64_t o = p < tiled_count ? tiled_outputs : 0; o < outputs; ++o) {
      sums[p * outputs + o] = MultiplyCodesOne(patches + p * depth, weights + o * depth, depth);
    }
  }
}

// Bits set in `a & b`, or in `a` alone where b is all ones. Bytes count up to 8 a word, so 31 words fit a byte's 255.
constexpr int64_t kWordsPerCount = 28;

int32_t CountAnd(const uint64_t* a, const uint64_t* b, int64_t words) {
  int32_t total = 0;
  for (int64_t first = 0; first < words; first += kWordsPerCount) {
    const int64_t end = words < first + kWordsPerCount ? words : first + kWordsPerCount;
    uint64_t bytes = 0;
    for (int64_t i = first; i < end; ++i) {
      uint64_t x = a[i] & b[i];
      x -= (x >> 1) & 0x5555555555555555u;
      x = (x & 0x3333333333333333u) + ((x >> 2) & 0x3333333333333333u);
      bytes += (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fu;
    }
    const uint64_t pairs = (bytes & 0x00ff00ff00ff00ffu) + ((bytes >> 8) & 0x00ff00ff00ff00ffu);
    total += static_cast<int32_t>((pairs * 0x0001000100010001u) >> 48);
  }
  return total;
}

void MultiplySigns(const uint64_t* patches, int count, int planes, const uint64_t* weights, int64_t outputs,
                   int64_t words, int32_t* sums) {
  for (int p = 0; p < count; ++p) {
    const uint64_t* patch = patches + p * planes * words;
    // sum of a * w over w = +-1 is 2 * (sum where w is +1) - (sum of all).
    int32_t all = 0;
    for (int i = 0; i < planes; ++i) all += CountAnd(patch + i * words, patch + i * words, words) << i;
    for (int64_t o = 0; o < outputs; ++o) {
      int32_t positive = 0;
      for (int i = 0; i < planes; ++i) positive += CountAnd(patch + i * words, weights + o * words, words) << i;
      sums[p * outputs + o] = 2 * positive - all;
    }
  }
}

// Four lanes that GCC and Clang lower to whatever the target has. A lane is one output, so no sum is reordered.
using Lanes = float __attribute__((vector_size(16)));
constexpr int kLanesPerGroup = kFloatGroup / 4;

Lanes Load(const float* from) {
  Lanes lanes;
  std::memcpy(&lanes, from, sizeof(lanes));
  return lanes;
}

template <int kPatches>
void MultiplyFloatTile(const float* patches, const float* weights, int64_t depth, int64_t row, float* sums) {
  Lanes s[kPatches][kLanesPerGroup] = {};
  for (int64_t d = 0; d < depth; ++d) {
    for (int p = 0; p < kPatches; ++p) {
      for (int l = 0; l < kLanesPerGroup; ++l) s[p][l] += patches[p * depth + d] * Load(weights + d * kFloatGroup + 4 * l);
    }
  }
  for (int p = 0; p < kPatches; ++p) std::memcpy(sums + p * row, s[p], sizeof(s[p]));
}

void MultiplyFloats(const float* patches, int count, const float* weights, int64_t groups, int64_t depth, float* sums) {
  const int64_t row = groups * kFloatGroup;
  for (int64_t group = 0; group < groups; ++group) {
    const float* w = weights + group * depth * kFloatGroup;
    float* out = sums + group * kFloatGroup;
    int p = 0;
    for (; p + 4 <= count; p += 4) MultiplyFloatTile<4>(patches + p * depth, w, depth, row, out + p * row);
    for (; p < count; ++p) MultiplyFloatTile<1>(patches + p * depth, w, depth, row, out + p * row);
  }
}

}  // namespace

const KernelTable& PortableKernels() {
  static constexpr KernelTable kTable = {.name = "portable",
                                         .multiply_codes = MultiplyCodes,
                                         .multiply_signs = MultiplySigns,
                                         .multiply_floats = MultiplyFloats};
  return kTable;
}

}  // namespace anybit
