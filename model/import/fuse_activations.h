// Activations that exporters write as several operators, as one node each.
//
// x * Sigmoid(x) becomes the operator kSilu, x * HardSigmoid(x) and x * Clip(x + 3, 0, 6) / 6 become HardSwish,
// Clip(x + 3, 0, 6) / 6 becomes HardSigmoid, x * (1 + Erf(x / sqrt(2))) / 2 becomes Gelu, x * Tanh(Softplus(x)) Mish.
#ifndef ANYBIT_MODEL_IMPORT_FUSE_ACTIVATIONS_H_
#define ANYBIT_MODEL_IMPORT_FUSE_ACTIVATIONS_H_

#include "model/import/float_graph.h"

namespace anybit::model {

// ONNX has no operator for it. No file can name it, because of the blank.
inline constexpr char kSilu[] = "SiLU of x";

// Replaces them in `graph`, and removes the nodes that nothing reads any more.
void FuseActivations(FloatGraph& graph);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_IMPORT_FUSE_ACTIVATIONS_H_
