// Top-1 accuracy of a network at an operating point, by running it.
#ifndef ANYBIT_MODEL_ENGINE_EVALUATE_H_
#define ANYBIT_MODEL_ENGINE_EVALUATE_H_

#include <span>

#include "absl/status/statusor.h"
#include "model/data/example_set.h"
#include "model/engine/adaptive_network.h"

namespace anybit::model {

// The index of the largest logit; the first of equal ones.
int Top1(std::span<const float> logits);

// The share of `examples` whose Top1 is their label, 0..1. InvalidArgument if the examples do not fit the network; the
// errors of ExampleSet::Read.
absl::StatusOr<double> EvaluateTop1(const AdaptiveNetwork& network, PointId point, const ExampleSet& examples);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_ENGINE_EVALUATE_H_
