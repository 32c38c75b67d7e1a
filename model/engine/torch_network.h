// An artifact run by LibTorch: the trainer's simulation of the engine.
//
// Quantized points compute the serving contract to the last integer (convolutions over whole numbers in a float type
// wide enough to hold every sum exactly, then the shared epilogue), so an accuracy measured here is the accuracy
// served.
#ifndef ANYBIT_MODEL_ENGINE_TORCH_NETWORK_H_
#define ANYBIT_MODEL_ENGINE_TORCH_NETWORK_H_

#include <memory>

#include "absl/status/statusor.h"
#include "model/engine/adaptive_network.h"
#include "model/engine/layer_trace.h"
#include "model/format/artifact_contents.h"

namespace anybit::model {

class TorchNetwork : public AdaptiveNetwork {
 public:
  // InvalidArgument unless `artifact` is valid.
  static absl::StatusOr<std::unique_ptr<TorchNetwork>> Create(Artifact artifact);

  // Like Run at a quantized point, and records the values of each node.
  virtual absl::StatusOr<LayerTrace> Trace(PointId point, std::span<const uint8_t> input) const = 0;
};

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_ENGINE_TORCH_NETWORK_H_
