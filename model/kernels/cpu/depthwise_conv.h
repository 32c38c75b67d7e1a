// Depthwise convolutions, quantized or at full precision: each channel by itself, 16 channels a block.
#ifndef ANYBIT_MODEL_KERNELS_CPU_DEPTHWISE_CONV_H_
#define ANYBIT_MODEL_KERNELS_CPU_DEPTHWISE_CONV_H_

#include <cstdint>
#include <memory>

#include "model/format/network_spec.h"
#include "model/kernels/cpu/conv_layer.h"
#include "model/kernels/cpu/kernel_table.h"

namespace anybit::model {

// Null where the maps store fewer channels than whole blocks. `node` is depthwise.
std::unique_ptr<ConvLayer> PackDepthwiseConv(const KernelTable& kernels, const PlannedNode& node, const ConvMaps& maps,
                                             const ConvWeights& weights);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_KERNELS_CPU_DEPTHWISE_CONV_H_
