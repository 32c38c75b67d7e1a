// The tile operations of AMX: eight registers of up to 16 rows of 64 bytes, and products of whole tiles.
//
// Kernels name these operations only, so that tests can run them on a model (testing/tile_model.h) where the processor
// has no tiles. Own assembly, since the intrinsics of GCC 12 do not say that a tile load reads memory: it deletes
// stores that only a tile reads.
#ifndef ANYBIT_MODEL_KERNELS_CPU_AMX_TILES_H_
#define ANYBIT_MODEL_KERNELS_CPU_AMX_TILES_H_

#include <cstdint>

namespace anybit::model {

// What LDTILECFG reads.
struct alignas(64) TileShapes {
  uint8_t palette = 1, start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};
};
static_assert(sizeof(TileShapes) == 64);

struct AmxTiles {
  // The shapes of all tiles; clears them. Until Release, they are part of the thread's state.
  [[gnu::always_inline]] static void Configure(const TileShapes& shapes) {
    asm volatile("ldtilecfg %0" : : "m"(shapes));
  }

  [[gnu::always_inline]] static void Release() { asm volatile("tilerelease"); }

  template <int kTile>
  [[gnu::always_inline]] static void Clear() {
    asm volatile("tilezero %%tmm%c0" : : "i"(kTile));
  }

  // Rows lie `stride` bytes apart. Always reads the configured shape.
  template <int kTile>
  [[gnu::always_inline]] static void Load(const uint8_t* from, int64_t stride) {
    asm volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(from), "r"(stride), "i"(kTile) : "memory");
  }

  template <int kTile>
  [[gnu::always_inline]] static void Store(int32_t* to, int64_t stride) {
    asm volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(to), "r"(stride), "i"(kTile) : "memory");
  }

  // sums[m][n] += sum over k of codes[m][k] * weights[k / 4][4 * n + k % 4]: u8 codes, s8 weights, s32 sums that wrap.
  // Three different tiles.
  template <int kSums, int kCodes, int kWeights>
  [[gnu::always_inline]] static void MultiplyAdd() {
    asm volatile("tdpbusd %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kSums), "i"(kCodes), "i"(kWeights));
  }

  // The same of bfloat16 numbers, two in 4 bytes, with sums of floats: products of the even ones and of the odd ones
  // are summed by themselves, each addition rounded, then both sums are added. Takes denormal numbers for zero.
  template <int kSums, int kValues, int kWeights>
  [[gnu::always_inline]] static void MultiplyAddBfloats() {
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kSums), "i"(kValues), "i"(kWeights));
  }
};

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_KERNELS_CPU_AMX_TILES_H_
