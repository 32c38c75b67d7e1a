// The trace of the loss's Hessian, layer by layer, by Hutchinson's method: the mean of v'Hv over random signs v.
//
// Hv is a central difference of gradients at float weights moved by a hundredth of their layer's root mean square: the
// passes round their values in places, where second derivatives say nothing. All layers move at once; what they do to
// each other has mean 0.
#ifndef ANYBIT_MODEL_TRAIN_NETWORK_HESSIAN_TRACE_H_
#define ANYBIT_MODEL_TRAIN_NETWORK_HESSIAN_TRACE_H_

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "model/format/artifact_contents.h"

namespace anybit::model::train {

// By layer of the plan.
struct LayerTraces {
  std::vector<double> mean;
  std::vector<double> error;  // standard error of the mean over samples
};

// Of the mean cross-entropy of `labels` at the full-precision point of `artifact`, with batch statistics. `rows` are
// inputs, one for each label. Takes 2 x samples gradients. InvalidArgument without a full-precision point, for rows and
// labels that do not fit, or fewer than 2 samples; Internal for an error of LibTorch.
absl::StatusOr<LayerTraces> TracesOf(const Artifact& artifact, std::span<const uint8_t> rows,
                                     std::span<const int> labels, int samples, uint64_t seed);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_NETWORK_HESSIAN_TRACE_H_
