// The GPU engine: an artifact run by one device, at any operating point. Integers equal those of every other engine.
//
// Weights and the panels of all points are resident. A scratch is a stream with its own memory and, for each point and
// batch bucket (1, 2, 4, ... rows), one recorded graph: copies, kernels, copies. A run of fewer rows than its bucket
// computes the rest on whatever is there. After an error the device counts as lost: that run and all later ones fail
// with Internal, at once, and Health says why.
//
//   auto network = CudaNetwork::Create(*ReadArtifact(path), device, {.slots = 2, .max_rows = 64});
//   auto scratch = (*network)->MakeScratch(64);
//   (*network)->Run(point, input, output, *scratch);
#ifndef ANYBIT_MODEL_ENGINE_CUDA_CUDA_NETWORK_H_
#define ANYBIT_MODEL_ENGINE_CUDA_CUDA_NETWORK_H_

#include <cstdint>
#include <memory>
#include <span>

#include "absl/status/statusor.h"
#include "model/engine/adaptive_network.h"
#include "model/engine/cuda/device.h"
#include "model/engine/cuda/device_monitor.h"
#include "model/engine/kernel_chooser.h"
#include "model/engine/layer_trace.h"
#include "model/format/artifact_contents.h"

namespace anybit::model::cuda {

struct CudaNetworkOptions {
  int slots = 1;              // scratches that there will be at the same time
  int max_rows = 64;          // of each
  int64_t memory_budget = 0;  // bytes of the device that the network may take; 0: what is free, less a reserve
  const DeviceMonitor* monitor = nullptr;  // what ReadDevice reads; may be null; outlives the network
};

class CudaNetwork : public AdaptiveNetwork, public KernelChooser {
 public:
  // `device` must outlive the network. InvalidArgument unless `artifact` and `options` are valid; ResourceExhausted,
  // naming need and limit, before anything is loaded, where the network would not fit.
  static absl::StatusOr<std::unique_ptr<CudaNetwork>> Create(Artifact artifact, Device& device,
                                                             const CudaNetworkOptions& options);

  // Like Run at a quantized point, and records the values of each node.
  virtual absl::StatusOr<LayerTrace> Trace(PointId point, std::span<const uint8_t> input) const = 0;

  KernelChooser* kernel_chooser() final { return this; }
};

}  // namespace anybit::model::cuda

#endif  // ANYBIT_MODEL_ENGINE_CUDA_CUDA_NETWORK_H_
