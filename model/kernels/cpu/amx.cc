// AMX: byte products on tiles; all else is AVX-512's.
#include <immintrin.h>

#include <cstdint>
#include <type_traits>

#include "model/kernels/cpu/amx_tiles.h"
#include "model/kernels/cpu/kernel_table.h"
#include "model/kernels/cpu/packed_tiles.h"

namespace anybit::model {
namespace {

using Tiles = AmxTiles;

// clang-format off
#include "model/kernels/cpu/amx_vectors.inc"
#include "model/kernels/cpu/tile_kernels.inc"
// clang-format on

}  // namespace

KernelTable AmxKernels(const KernelTable& vectors) { return WithTiles(vectors, "amx"); }

}  // namespace anybit::model
