// Direct convolution on the tiles of an instruction set that has them (tile_plan.h, TileKernels).
#ifndef ANYBIT_MODEL_KERNELS_CPU_TILE_CONV_H_
#define ANYBIT_MODEL_KERNELS_CPU_TILE_CONV_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "model/format/network_spec.h"
#include "model/kernels/aligned_buffer.h"
#include "model/kernels/cpu/conv_layer.h"
#include "model/kernels/cpu/kernel_table.h"
#include "model/kernels/cpu/tile_plan.h"

namespace anybit::model {

// Null where the table has no tiles. `packed`: weights are kept in as few bits as their codes need, and expanded on the
// way to the tiles; null where they need more than 4, and where outputs do not fill four blocks.
std::unique_ptr<ConvLayer> PackTileConv(bool packed, const KernelTable& kernels, const PlannedNode& node,
                                        const ConvMaps& maps, const ConvWeights& weights);

// What TileConvs of other operands are made of: the convolution on a panel of tiles in the order of `layout`, which
// need not have each step once. The map that is read is one of bytes; with weights of 16 bits the others are of floats.
std::unique_ptr<ConvLayer> MakeTileConv(const KernelTable& kernels, const PlannedNode& node, const ConvMaps& maps,
                                        const ConvWeights& weights, const TileLayout& layout, AlignedBuffer panel,
                                        int weight_bits);

// Its workspace, and where in it copies begin.
struct TileWorkspace {
  int64_t copies, bytes;
};
TileWorkspace TileWorkspaceFor(const PlannedNode& node, const std::vector<TilePlan>& plans);

// Bytes of workspace that suffice on maps like `in`; 0 where the table has no tiles.
int64_t MaxTileWorkspaceBytes(const KernelTable& kernels, const PlannedNode& node, const FeatureMap& in);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_KERNELS_CPU_TILE_CONV_H_
