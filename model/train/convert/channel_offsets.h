// Values that the codes of a channel are counted from.
//
// A point has one step for each layer's activations, but biases for each channel. A channel of values 2..3 would use
// few of the codes for -3..3. Counted from its middle it uses as many as others: the layer's own bias subtracts the
// middle, and the biases of what reads it take it back. The float network stays as it is.
#ifndef ANYBIT_MODEL_TRAIN_CONVERT_CHANNEL_OFFSETS_H_
#define ANYBIT_MODEL_TRAIN_CONVERT_CHANNEL_OFFSETS_H_

#include <vector>

#include "model/format/network_spec.h"

namespace anybit::model::train {

// The smallest and the largest value of each channel of a layer's output.
struct ChannelExtents {
  std::vector<float> low, high;
};

// By node of `plan` and channel the value that its zero code stands for; empty: 0. `extents` are those of the layers.
// Only convolutions without activation have offsets, and only if what reads them neither pads nor multiplies: 0 has no
// code then that it must have.
std::vector<std::vector<float>> ChannelOffsets(const NetworkPlan& plan, const std::vector<ChannelExtents>& extents);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_CONVERT_CHANNEL_OFFSETS_H_
