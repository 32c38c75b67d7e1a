// Packs a convolution for an algorithm, where that algorithm is exact.
//
//   for (const ConvAlgorithm& algorithm : AllConvAlgorithms()) {
//     if (auto layer = PackConv(algorithm, kernels, node, maps, weights)) Time(*layer);
//   }
#ifndef ANYBIT_MODEL_KERNELS_CPU_PACK_CONV_H_
#define ANYBIT_MODEL_KERNELS_CPU_PACK_CONV_H_

#include <cstdint>
#include <memory>

#include "model/format/network_spec.h"
#include "model/kernels/cpu/conv_algorithm.h"
#include "model/kernels/cpu/conv_layer.h"
#include "model/kernels/cpu/kernel_table.h"

namespace anybit::model {

// The border that reading `node`'s input needs under any algorithm, as in FeatureMap.
struct Border {
  int64_t before, after;
};
Border BorderFor(const PlannedNode& node);

// Null where the table has no such kernel, or where the algorithm is not exact for these weights. `node` is a conv
// node.
std::unique_ptr<ConvLayer> PackConv(const ConvAlgorithm& algorithm, const KernelTable& kernels, const PlannedNode& node,
                                    const ConvMaps& maps, const ConvWeights& weights);

// Bytes of workspace that suffice for any algorithm.
int64_t MaxWorkspaceBytes(const KernelTable& kernels, const PlannedNode& node, const ConvMaps& maps);

// A rough estimate of the time for `images` images, for use before anything is measured: products per output, weighted
// by operand. Comparable within one layer only; smaller is faster.
double GuessedCost(const ConvAlgorithm& algorithm, const KernelTable& kernels, const PlannedNode& node, int64_t images);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_KERNELS_CPU_PACK_CONV_H_
