// Tensors without ReLU: which of their unsigned codes stands for 0, and what that does to the layers around them.
//
// A code is worth (code - zero point) * step. Sums of codes need no other arithmetic for that: what the zero points add
// to them is a constant of each output, for which the bias makes up.
#ifndef ANYBIT_MODEL_FORMAT_ZERO_POINTS_H_
#define ANYBIT_MODEL_FORMAT_ZERO_POINTS_H_

#include "model/format/artifact.h"
#include "model/format/network_spec.h"

namespace anybit {

// Of codes 0..highest_code without ReLU: the middle; at one bit the upper of both.
constexpr int MiddleCode(int highest_code) { return (highest_code + 1) / 2; }

// Of the output of a conv node at a point where its highest code is `highest_code`; 0 at full precision.
inline int ZeroPointOf(const PlannedNode& node, int highest_code) { return node.relu ? 0 : MiddleCode(highest_code); }

// `artifact` is complete and valid, but for biases as if every code were worth code * step; moves them.
void FoldZeroPoints(Artifact& artifact);

}  // namespace anybit

#endif  // ANYBIT_MODEL_FORMAT_ZERO_POINTS_H_
