// One network that runs at any of its operating points. Implementations: PackedNetwork (the CPU engine), CudaNetwork,
// TorchNetwork.
#ifndef ANYBIT_MODEL_ENGINE_ADAPTIVE_NETWORK_H_
#define ANYBIT_MODEL_ENGINE_ADAPTIVE_NETWORK_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/point_id.h"
#include "model/engine/device_reading.h"
#include "model/format/network_description.h"

namespace anybit::model {

class KernelChooser;

struct NetworkBytes {
  int64_t weights = 0;  // what all operating points are derived from
  int64_t panels = 0;   // derived for single ones, and kept
};

class AdaptiveNetwork {
 public:
  // Working memory of one slot; never shared between concurrent runs.
  class Scratch {
   public:
    virtual ~Scratch() = default;
  };

  virtual ~AdaptiveNetwork() = default;

  virtual const NetworkDescription& description() const = 0;

  // Scratch for batches of up to `max_rows` rows.
  virtual std::unique_ptr<Scratch> MakeScratch(int max_rows) const = 0;

  // Derives what `point` runs with from the weights, ahead of its first Run, on the calling thread. May take seconds;
  // any thread. Where a memory limit has dropped it since, Run derives it again. InvalidArgument if the point does not
  // exist. A network that derives nothing has nothing to prepare.
  virtual absl::Status Prepare(PointId point) const { return absl::OkStatus(); }

  // Whether a Run at `point` would derive nothing first. Any thread.
  virtual bool IsPrepared(PointId point) const { return true; }

  // Runs input.size() / description().input.elements rows at `point`. InvalidArgument, naming value and limit, if the
  // point does not exist or the sizes do not fit each other or the scratch. Any thread: weights are immutable.
  virtual absl::Status Run(PointId point, std::span<const uint8_t> input, std::span<float> output,
                           Scratch& scratch) const = 0;

  // Why no Run will succeed any more, such as a lost device; OK while they may. Any thread.
  virtual absl::Status Health() const { return absl::OkStatus(); }

  // Of the device that the network runs on, where there is one that tells. Any thread.
  virtual std::optional<DeviceReading> ReadDevice() const { return std::nullopt; }

  // Memory of its weights, where the network counts it. Any thread.
  virtual NetworkBytes bytes() const { return {}; }

  // Where the kernels of this network are chosen; null if there is no choice. Lives as long as the network.
  virtual KernelChooser* kernel_chooser() { return nullptr; }
};

// InvalidArgument, naming value and limit, unless `point` is one of the network's.
absl::Status CheckPoint(const NetworkDescription& network, PointId point);

// The number of rows that `inputs` codes and `outputs` logits are. InvalidArgument, naming value and limit, where the
// point does not exist or the sizes are not whole, equal and positive numbers of rows. Every Run checks this first.
absl::StatusOr<int64_t> RowsOf(const NetworkDescription& network, PointId point, size_t inputs, size_t outputs);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_ENGINE_ADAPTIVE_NETWORK_H_
