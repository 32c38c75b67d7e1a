// Zero points of tensors without ReLU: the unsigned code of the value 0, and its effect on the layers around.
//
// The value of a code is (code - zero point) * step. Sums of codes need no other arithmetic for that: the zero points
// add a constant to each output, which the bias compensates.
#ifndef ANYBIT_MODEL_FORMAT_ZERO_POINTS_H_
#define ANYBIT_MODEL_FORMAT_ZERO_POINTS_H_

#include "model/format/artifact_contents.h"
#include "model/format/network_spec.h"

namespace anybit::model {

// The zero point of codes 0..highest_code without ReLU: the middle; with one bit the upper of the two.
constexpr int MiddleCode(int highest_code) { return (highest_code + 1) / 2; }

// The zero point of a conv node's output at a point where its highest code is `highest_code`; 0 at full precision.
inline int ZeroPointOf(const PlannedNode& node, int highest_code) { return node.relu ? 0 : MiddleCode(highest_code); }

// The zero code of the output of node `index`, or of the network's input, at a quantized point; of a global pool that
// of the sum.
int64_t ZeroCodeOf(const NetworkPlan& plan, const ArtifactPoint& point, int index);

// The code of a channel with which integer points pad the network's input.
int InputPadding(const NetworkPlan& plan, int64_t channel);

// Corrects the biases of a complete and valid artifact that were computed as if the value of a code were code * step.
void FoldZeroPoints(Artifact& artifact);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_FORMAT_ZERO_POINTS_H_
