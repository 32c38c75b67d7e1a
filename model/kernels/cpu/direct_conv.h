// Direct convolutions: one product for each weight and output, in any operand.
//
// A panel has the outputs of a block in its lanes; a run of output pixels shares one pass over it.
#ifndef ANYBIT_MODEL_KERNELS_CPU_DIRECT_CONV_H_
#define ANYBIT_MODEL_KERNELS_CPU_DIRECT_CONV_H_

#include <cstdint>
#include <memory>

#include "model/format/network_spec.h"
#include "model/kernels/cpu/conv_layer.h"
#include "model/kernels/cpu/kernel_table.h"

namespace anybit::model {

// Null where the table has no kernel for `operand`, or where it is not exact for these weights.
std::unique_ptr<ConvLayer> PackDirectConv(Operand operand, const KernelTable& kernels, const PlannedNode& node,
                                          const ConvMaps& maps, const ConvWeights& weights);

// Bytes of workspace that suffice for any operand on maps like `in`.
int64_t MaxDirectWorkspaceBytes(const KernelTable& kernels, const PlannedNode& node, const FeatureMap& in);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_KERNELS_CPU_DIRECT_CONV_H_
