// Direct convolution on the tiles of an instruction set that has them (tile_plan.h, TileKernels).
#ifndef ANYBIT_MODEL_KERNELS_CPU_TILE_CONV_H_
#define ANYBIT_MODEL_KERNELS_CPU_TILE_CONV_H_

#include <cstdint>
#include <memory>

#include "model/format/network_spec.h"
#include "model/kernels/cpu/conv_layer.h"
#include "model/kernels/cpu/kernel_table.h"

namespace anybit::model {

// Null where the table has no tiles. `packed`: weights are kept in as few bits as their codes need, and expanded on the
// way to the tiles; null where they need more than 4, and where outputs do not fill four blocks.
std::unique_ptr<ConvLayer> PackTileConv(bool packed, const KernelTable& kernels, const PlannedNode& node,
                                        const ConvMaps& maps, const ConvWeights& weights);

// Bytes of workspace that suffice on maps like `in`; 0 where the table has no tiles.
int64_t MaxTileWorkspaceBytes(const KernelTable& kernels, const PlannedNode& node, const FeatureMap& in);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_KERNELS_CPU_TILE_CONV_H_
