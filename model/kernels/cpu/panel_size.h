// How outputs and channels are padded to the lanes of a panel block.
#ifndef ANYBIT_MODEL_KERNELS_CPU_PANEL_SIZE_H_
#define ANYBIT_MODEL_KERNELS_CPU_PANEL_SIZE_H_

#include <cstdint>

#include "model/kernels/cpu/kernel_table.h"

namespace anybit::model {

// `value` rounded up to a multiple of `multiple`.
constexpr int64_t RoundUp(int64_t value, int64_t multiple) { return (value + multiple - 1) / multiple * multiple; }

// Channels that a feature map stores for `channels` channels.
constexpr int64_t PaddedChannels(int64_t channels) { return RoundUp(channels, kLanes); }

// Panel blocks that hold `outputs` outputs.
constexpr int BlocksFor(int64_t outputs) { return static_cast<int>(PaddedChannels(outputs) / kLanes); }

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_KERNELS_CPU_PANEL_SIZE_H_
