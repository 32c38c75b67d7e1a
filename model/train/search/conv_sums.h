// The integer sums of a convolution, before its epilogue: what batch norm normalises.
//
// The engine's kernels never store them. They are slower here than in the engine, at about the speed of its dot
// product.
#ifndef ANYBIT_MODEL_TRAIN_SEARCH_CONV_SUMS_H_
#define ANYBIT_MODEL_TRAIN_SEARCH_CONV_SUMS_H_

#include <cstdint>
#include <span>
#include <vector>

#include "model/format/network_spec.h"
#include "model/kernels/cpu/kernel_table.h"

namespace anybit::model::train {

// The sums of one image (a frame of a row): [height][width][channels] of node.out. `codes`: [height][width][channels]
// of node.in; `weights`: child codes [out][depth].
void ConvSums(const PlannedNode& node, const KernelTable& kernels, std::span<const uint8_t> codes,
              std::span<const int8_t> weights, std::span<int32_t> sums);

// The largest code of each window of one image.
void MaxPoolCodes(const PlannedNode& node, std::span<const uint8_t> codes, std::span<uint8_t> out);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_SEARCH_CONV_SUMS_H_
