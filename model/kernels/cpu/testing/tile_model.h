// The operations of amx_tiles.h on a model of the tile registers in plain C++, one set for each thread.
//
// It ends the process, with a line that says why, where a processor raises an exception: tiles that are not configured,
// shapes that do not fit, one tile as two operands of a product.
#ifndef ANYBIT_MODEL_KERNELS_CPU_TESTING_TILE_MODEL_H_
#define ANYBIT_MODEL_KERNELS_CPU_TESTING_TILE_MODEL_H_

#include <cstdint>

#include "model/kernels/cpu/amx_tiles.h"

namespace anybit::model {

// The same by number; ModelledTiles is what kernels use.
void ConfigureTileModel(const TileShapes& shapes);
void ReleaseTileModel();
void ClearModelledTile(int tile);
void LoadModelledTile(int tile, const uint8_t* from, int64_t stride);
void StoreModelledTile(int tile, int32_t* to, int64_t stride);
void MultiplyAddModelledTiles(int sums, int codes, int weights);
void MultiplyAddModelledBfloats(int sums, int values, int weights);

struct ModelledTiles {
  static void Configure(const TileShapes& shapes) { ConfigureTileModel(shapes); }
  static void Release() { ReleaseTileModel(); }

  template <int kTile>
  static void Clear() {
    ClearModelledTile(kTile);
  }

  template <int kTile>
  static void Load(const uint8_t* from, int64_t stride) {
    LoadModelledTile(kTile, from, stride);
  }

  template <int kTile>
  static void Store(int32_t* to, int64_t stride) {
    StoreModelledTile(kTile, to, stride);
  }

  template <int kSums, int kCodes, int kWeights>
  static void MultiplyAdd() {
    MultiplyAddModelledTiles(kSums, kCodes, kWeights);
  }

  template <int kSums, int kValues, int kWeights>
  static void MultiplyAddBfloats() {
    MultiplyAddModelledBfloats(kSums, kValues, kWeights);
  }
};

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_KERNELS_CPU_TESTING_TILE_MODEL_H_
