// The launches of one batch: a function of the network, the point, the number of rows and the memory of a slot.
#ifndef ANYBIT_MODEL_ENGINE_CUDA_LAUNCH_LIST_H_
#define ANYBIT_MODEL_ENGINE_CUDA_LAUNCH_LIST_H_

#include <cstdint>
#include <vector>

#include "base/point_id.h"
#include "model/engine/cuda/device_weights.h"
#include "model/engine/cuda/map_layout.h"
#include "model/format/artifact_contents.h"
#include "model/format/network_spec.h"
#include "model/kernels/cuda/calls.h"

namespace anybit::model::cuda {

// One slot's device memory, for up to as many rows as it was made for.
struct SlotMemory {
  uint8_t* dense_input = nullptr;  // rows as they come
  uint8_t* input = nullptr;        // the same as a map
  std::vector<uint8_t*> buffers;   // of MapLayout
  uint8_t* padded = nullptr;       // the map that a convolution reads, with its border
  uint8_t* workspace = nullptr;
  uint8_t* gathered = nullptr;  // what the linear node, or a convolution of sums, reads
  uint8_t* logits = nullptr;
};

// What all launch lists of a network have in common.
struct LaunchContext {
  const Artifact& artifact;
  const NetworkPlan& plan;
  const MapLayout& layout;
  const DeviceWeights& weights;
  int architecture;
};

// Values that a layer without panel takes from one row, at most.
int64_t MostGathered(const NetworkPlan& plan);

// Sizes of the parts of SlotMemory for `rows` rows, by their order there; buffers one by one.
std::vector<int64_t> SlotBytes(const LaunchContext& context, int rows);
SlotMemory SlotMemoryAt(const LaunchContext& context, int rows, uint8_t* memory);

// The launches that make the map of the input.
std::vector<KernelCall> InputCalls(const LaunchContext& context, PointId point, int rows, const SlotMemory& slot);
// The launches of node `index`. `panel`: of a conv node.
std::vector<KernelCall> NodeCalls(const LaunchContext& context, PointId point, const DeviceLayer* layer,
                                  const DevicePanel* panel, int index, int rows, const SlotMemory& slot);

}  // namespace anybit::model::cuda

#endif  // ANYBIT_MODEL_ENGINE_CUDA_LAUNCH_LIST_H_
