// The weights of a network in device memory: the int8 store once, the epilogues of all points, and panels.
//
// Panels are derived on the device, from the store, and shared by points whose codes are equal.
#ifndef ANYBIT_MODEL_ENGINE_CUDA_DEVICE_WEIGHTS_H_
#define ANYBIT_MODEL_ENGINE_CUDA_DEVICE_WEIGHTS_H_

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "base/point_id.h"
#include "model/engine/cuda/device.h"
#include "model/engine/cuda/device_memory.h"
#include "model/engine/cuda/map_layout.h"
#include "model/engine/kernel_choices.h"
#include "model/format/artifact_contents.h"
#include "model/format/network_spec.h"
#include "model/kernels/cuda/algorithm.h"

namespace anybit::model::cuda {

// Whether a layer is a convolution of maps. The linear node and convolutions of sums read codes by themselves.
inline bool HasPanel(const PlannedNode& node) { return node.kind == NodeKind::kConv && !node.of_sums; }

// Of a layer that has one, with one algorithm.
struct DevicePanel {
  Algorithm algorithm{};
  DeviceMemory memory;
};

struct DeviceLayer {
  std::array<std::shared_ptr<const DevicePanel>, kChoiceRows.size()> conv;  // by kChoiceRows
  std::shared_ptr<const DeviceMemory> codes;  // [out][depth], at quantized points, of a layer without panel
};

// Not changed once made.
struct DevicePoint {
  std::vector<DeviceLayer> layers;  // by layer index of the plan
};

class DeviceWeights {
 public:
  // The arguments must outlive the weights. Copies the store and the epilogues to the device.
  static absl::StatusOr<std::unique_ptr<DeviceWeights>> Load(Device& device, const Artifact& artifact,
                                                             const NetworkPlan& plan, const MapLayout& layout);

  // Bytes of store, epilogues and the panels of all points with their guessed algorithms, on a device of
  // `architecture`.
  static int64_t BytesNeeded(int architecture, const Artifact& artifact, const NetworkPlan& plan,
                             const MapLayout& layout);

  // A layer with a panel at a point. One that pads with values reads a map whose border is there (PadCall).
  const ConvProblem& problem(PointId point, int layer) const { return problems_[ToIndex(point)][layer]; }
  // Those that are exact and native there, the fastest guess first.
  std::vector<Algorithm> Algorithms(PointId point, int layer) const;

  // The panels for `choices` (by layer). A choice that is empty or not offered is replaced by the best guess. Any
  // thread.
  absl::StatusOr<std::shared_ptr<const DevicePoint>> MakePoint(PointId point, std::span<AlgorithmNames> choices);
  absl::StatusOr<std::shared_ptr<const DevicePanel>> MakePanel(PointId point, int layer, Algorithm algorithm);

  // Of the epilogue: [out up to kTileOutputs].
  const float* scale(PointId point, int layer) const;
  const float* bias(PointId point, int layer) const;
  const float* scale_and_bias(PointId point, int layer) const;  // interleaved
  // The table of an activation: [256]; null where the layer has none at this point.
  const uint8_t* table(PointId point, int layer) const;
  // One pixel of the border that the layer's input gets; null where it gets none.
  const uint32_t* border(PointId point, int layer) const;
  // The store's floats of a layer, or null.
  const float* full(int layer) const;

 private:
  struct PanelKey {
    int layer;
    Algorithm algorithm;
    int step, lo, hi;
    bool sign, full_precision, bfloat16;
    int highest_input;
    auto operator<=>(const PanelKey&) const = default;
  };

  DeviceWeights(Device& device, const Artifact& artifact, const NetworkPlan& plan, const MapLayout& layout);
  absl::Status CopyWeights();
  absl::StatusOr<std::shared_ptr<const DeviceMemory>> MakeCodes(PointId point, int layer);
  absl::Status RunAll(std::span<const KernelCall> calls) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Device& device_;
  const Artifact& artifact_;
  const NetworkPlan& plan_;
  const MapLayout& layout_;
  std::vector<std::vector<ConvProblem>> problems_;  // [point][layer]
  std::vector<int64_t> store_at_, full_at_;         // by layer, offsets into weights_
  std::vector<std::vector<int64_t>> epilogue_at_;   // [point][layer], likewise: scales, biases, both interleaved
  std::vector<std::vector<int64_t>> table_at_, border_at_;  // [point][layer], likewise; -1: none
  DeviceMemory weights_;

  absl::Mutex mutex_;
  std::unique_ptr<DeviceStream> stream_ ABSL_GUARDED_BY(mutex_);
  std::map<PanelKey, std::weak_ptr<const DevicePanel>> panels_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace anybit::model::cuda

#endif  // ANYBIT_MODEL_ENGINE_CUDA_DEVICE_WEIGHTS_H_
