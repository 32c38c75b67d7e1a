// The engine: an artifact packed for one instruction set's kernels, run layer by layer at any operating point.
//
// Panels (kernel-shaped copies of the weights) are derived from the int8 store for every point when the network is made.
// Integers equal the contract of model/quant to the last one; a row's result does not depend on the rows beside it.
#ifndef ANYBIT_MODEL_PACKED_NETWORK_H_
#define ANYBIT_MODEL_PACKED_NETWORK_H_

#include <memory>

#include "absl/status/statusor.h"
#include "model/adaptive_network.h"
#include "model/artifact.h"
#include "model/kernels/kernel_table.h"
#include "model/layer_trace.h"

namespace anybit {

class PackedNetwork : public AdaptiveNetwork {
 public:
  // `kernels` must outlive the network. InvalidArgument unless `artifact` is valid.
  static absl::StatusOr<std::unique_ptr<PackedNetwork>> Create(const Artifact& artifact, const KernelTable& kernels);

  // Like Run at a quantized point, and records what each node computed.
  virtual absl::StatusOr<LayerTrace> Trace(int point, std::span<const uint8_t> input) const = 0;
};

}  // namespace anybit

#endif  // ANYBIT_MODEL_PACKED_NETWORK_H_
