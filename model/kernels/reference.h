// The sums of one layer by definition: the only oracle of kernel tests.
//
// One loop per index, in the obvious order, no packing, no blocking. Slow on purpose.
#ifndef ANYBIT_MODEL_KERNELS_REFERENCE_H_
#define ANYBIT_MODEL_KERNELS_REFERENCE_H_

#include <cstdint>
#include <span>
#include <vector>

#include "model/format/network_spec.h"

namespace anybit::model {

// Sums of one row of a conv node. codes: [height][width][channels] of node.in; weights: child codes [out][depth].
// Returns [height][width][channels] of node.out.
std::vector<int32_t> ReferenceConvSums(const PlannedNode& node, std::span<const int32_t> codes,
                                       std::span<const int32_t> weights);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_KERNELS_REFERENCE_H_
