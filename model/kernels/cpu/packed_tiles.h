// The format of panels for tiles whose weights have 4, 3, 2 or 1 bits.
//
// A tile is 16 rows of 64 weights. A line of 64 packed bytes holds byte for byte 8 / bits consecutive rows, the first
// in the low bits: two's complement of 4 or 2 bits, or one bit that is set for -1 and clear for +1. Three bits are the
// low two bits of all rows, then the sign bits.
#ifndef ANYBIT_MODEL_KERNELS_CPU_PACKED_TILES_H_
#define ANYBIT_MODEL_KERNELS_CPU_PACKED_TILES_H_

#include <cstdint>
#include <cstring>

#include "model/kernels/cpu/kernel_table.h"

namespace anybit::model {

constexpr int PackedTileBytes(int bits) { return kTileBytes * bits / 8; }

// Packs a tile whose weights `bits` hold: -8..7, -4..3, -2..1; one bit: -1 and +1.
inline void PackTile(int bits, const int8_t* weights, uint8_t* packed) {
  std::memset(packed, 0, PackedTileBytes(bits));
  const auto put = [&](uint8_t* lines, int width, int row, int at, int value) {
    const int rows = 8 / width;
    lines[row / rows * kTileStepBytes + at] |= static_cast<uint8_t>(value << row % rows * width);
  };
  for (int row = 0; row < kTilePixels; ++row) {
    for (int at = 0; at < kTileStepBytes; ++at) {
      const int8_t weight = weights[row * kTileStepBytes + at];
      switch (bits) {
        case 1: put(packed, 1, row, at, weight < 0 ? 1 : 0); break;
        case 3:
          put(packed, 2, row, at, weight & 3);
          put(packed + PackedTileBytes(2), 1, row, at, weight < 0 ? 1 : 0);
          break;
        default: put(packed, bits, row, at, weight & ((1 << bits) - 1));
      }
    }
  }
}

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_KERNELS_CPU_PACKED_TILES_H_
