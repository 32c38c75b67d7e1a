// Initial weights, drawn from a seeded generator.
#ifndef ANYBIT_MODEL_TRAIN_NETWORK_INITIAL_WEIGHTS_H_
#define ANYBIT_MODEL_TRAIN_NETWORK_INITIAL_WEIGHTS_H_

#include <torch/types.h>

#include <cstdint>
#include <random>
#include <vector>

#include "model/format/network_spec.h"

namespace anybit::model::train {

// The shape of a layer's weights: [O, C, k, k] of a convolution, [O, depth] of the linear layer.
std::vector<int64_t> WeightShape(const PlannedNode& node);

// Normal values of deviation sqrt(2 / depth) for a convolution (He et al., "Delving Deep into Rectifiers", 2015), of
// sqrt(1 / depth) for the linear layer, which has no ReLU.
torch::Tensor InitialWeights(const PlannedNode& node, std::mt19937_64& random);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_NETWORK_INITIAL_WEIGHTS_H_
