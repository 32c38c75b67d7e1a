// Convolutions of floats on tiles, as products of bfloat16 numbers.
//
// The input is converted into the workspace, where the convolution by tiles reads it as a map of bytes. A float of 32
// bits is the sum of three bfloat16 numbers; each tile of a window meets up to three tiles of weights. With n products
// a sum, u = 2^-24 and m the sum of the products' magnitudes, the error is at most (6 n / 32 + 19) u m: of n products
// on tiles, 32 are summed apart in chains of 16, and what is left out is u / 4 of each. A chain of n fused
// multiply-adds has the bound n u m, so from 24 products on the split sum is bounded more tightly.
#ifndef ANYBIT_MODEL_KERNELS_CPU_FLOAT_TILE_CONV_H_
#define ANYBIT_MODEL_KERNELS_CPU_FLOAT_TILE_CONV_H_

#include <cstdint>
#include <memory>

#include "model/format/network_spec.h"
#include "model/kernels/cpu/conv_layer.h"
#include "model/kernels/cpu/kernel_table.h"

namespace anybit::model {

// Null where the table has no tiles. Weights of a bfloat16 point make one product, others six.
std::unique_ptr<ConvLayer> PackFloatTileConv(const KernelTable& kernels, const PlannedNode& node, const ConvMaps& maps,
                                             const ConvWeights& weights);

// Bytes of workspace that suffice on maps like `in`; 0 where the table has no tiles.
int64_t MaxFloatTileWorkspaceBytes(const KernelTable& kernels, const PlannedNode& node, const FeatureMap& in);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_KERNELS_CPU_FLOAT_TILE_CONV_H_
