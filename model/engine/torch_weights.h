// The weights of an artifact as LibTorch tensors, in the order that its convolutions and linear layers take.
#ifndef ANYBIT_MODEL_ENGINE_TORCH_WEIGHTS_H_
#define ANYBIT_MODEL_ENGINE_TORCH_WEIGHTS_H_

#include <torch/torch.h>

#include "model/format/artifact_contents.h"
#include "model/format/code_range.h"
#include "model/format/network_spec.h"

namespace anybit::model {

// The float weights of a layer, float32 [O, C, k, k] channels last; of a linear one [O, depth]. The store must have
// them.
torch::Tensor FullWeights(const LayerStore& store, const PlannedNode& node);

// The child codes of a layer of `plan`, shaped likewise: whole numbers, in float32 where every sum over the largest
// inputs stays exact in any order (below 2^24), else in float64 (2^53).
torch::Tensor ChildWeights(const LayerStore& store, const CodeRange& range, const NetworkPlan& plan,
                           const PlannedNode& node);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_ENGINE_TORCH_WEIGHTS_H_
