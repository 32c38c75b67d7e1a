#include <immintrin.h>

#include <cstdint>
#include <type_traits>

#include "model/kernels/cpu/kernel_table.h"
#include "model/kernels/cpu/packed_tiles.h"
#include "model/kernels/cpu/testing/modelled_amx.h"
#include "model/kernels/cpu/testing/tile_model.h"

namespace anybit::model {
namespace {

using Tiles = ModelledTiles;

// clang-format off
#include "model/kernels/cpu/amx_vectors.inc"
#include "model/kernels/cpu/tile_kernels.inc"
// clang-format on

}  // namespace

KernelTable ModelledAmxKernels(const KernelTable& vectors) { return WithTiles(vectors, "amx_model"); }

}  // namespace anybit::model
