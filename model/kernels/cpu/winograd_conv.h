// Runs exact integer Winograd convolutions (winograd.h) tile group by tile group.
//
// A group of tiles is transformed, multiplied at every position, and transformed back while it is in the second-level
// cache.
#ifndef ANYBIT_MODEL_KERNELS_CPU_WINOGRAD_CONV_H_
#define ANYBIT_MODEL_KERNELS_CPU_WINOGRAD_CONV_H_

#include <cstdint>
#include <memory>

#include "model/format/network_spec.h"
#include "model/kernels/cpu/conv_algorithm.h"
#include "model/kernels/cpu/conv_layer.h"
#include "model/kernels/cpu/kernel_table.h"

namespace anybit::model {

// Null where the table has no kernel for it, the node has no such tiles, or it is not exact for these weights.
std::unique_ptr<ConvLayer> PackWinogradConv(const WinogradConvolution& algorithm, const KernelTable& kernels,
                                            const PlannedNode& node, const ConvMaps& maps, const ConvWeights& weights);

// Bytes of workspace that suffice for any kind on maps like `in`; 0 where the node has no tiles.
int64_t MaxWinogradWorkspaceBytes(const KernelTable& kernels, const PlannedNode& node, const FeatureMap& in);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_KERNELS_CPU_WINOGRAD_CONV_H_
