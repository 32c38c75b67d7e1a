// A whole network by definition, one row, one loop per index: the oracle that engines are tested against.
//
// Slow on purpose; kernels/reference.h has the sums of one layer.
#ifndef ANYBIT_MODEL_TESTING_REFERENCE_NETWORK_H_
#define ANYBIT_MODEL_TESTING_REFERENCE_NETWORK_H_

#include <cstdint>
#include <span>
#include <vector>

#include "base/point_id.h"
#include "model/engine/layer_trace.h"
#include "model/format/artifact_contents.h"

namespace anybit::model {

// `input` is one row; `point` a quantized point of `artifact`, which must be valid. Returns the values of every node;
// `logits` receives the last node's output.
LayerTrace ReferenceRun(const Artifact& artifact, PointId point, std::span<const uint8_t> input,
                        std::vector<float>& logits);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_TESTING_REFERENCE_NETWORK_H_
