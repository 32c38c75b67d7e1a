// A stream with the memory of a batch: what one scratch of a CudaNetwork runs on.
#ifndef ANYBIT_MODEL_ENGINE_CUDA_SLOT_H_
#define ANYBIT_MODEL_ENGINE_CUDA_SLOT_H_

#include <cstdint>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/point_id.h"
#include "model/engine/cuda/device.h"
#include "model/engine/cuda/device_memory.h"
#include "model/engine/cuda/device_weights.h"
#include "model/engine/cuda/launch_list.h"

namespace anybit::model::cuda {

// 1, 2, 4, ... and `max_rows` itself.
inline std::vector<int> BatchBuckets(int max_rows) {
  std::vector<int> buckets;
  for (int rows = 1; rows < max_rows; rows *= 2) buckets.push_back(rows);
  buckets.push_back(max_rows);
  return buckets;
}

// One thread at a time.
class Slot {
 public:
  static absl::StatusOr<std::unique_ptr<Slot>> Create(const LaunchContext& context, Device& device, int max_rows);

  int max_rows() const { return max_rows_; }
  // Host memory that copies reach directly: dense rows in, logits out.
  uint8_t* input() { return host_input_.data(); }
  float* output() { return reinterpret_cast<float*>(host_output_.data()); }

  // Records the graph of one bucket, unless it has been for these very panels.
  absl::Status Record(PointId point, const std::shared_ptr<const DevicePoint>& panels, size_t bucket);

  // Runs `rows` rows that are in input(), and waits until their logits are in output().
  absl::Status Run(PointId point, const std::shared_ptr<const DevicePoint>& panels, int rows);

  // Node by node, without a graph: `after_node(index)` once a node is done.
  absl::Status RunNodes(PointId point, const DevicePoint& panels, int rows,
                        absl::FunctionRef<absl::Status(int index)> after_node);

  DeviceStream& stream() { return *stream_; }
  const SlotMemory& memory() const { return memory_; }

  // Puts a batch of `rows` into `stream`; with `marks`, marks i + 1 when node i is done, and 0 before the first.
  absl::Status Enqueue(DeviceStream& stream, PointId point, const DevicePoint& panels, int rows, bool marks) const;

 private:
  struct Recorded {
    std::shared_ptr<const DevicePoint> panels;
    std::unique_ptr<DeviceGraph> graph;
  };

  Slot(const LaunchContext& context, int max_rows)
      : context_(context),
        max_rows_(max_rows),
        buckets_(BatchBuckets(max_rows)),
        recorded_(context.artifact.points.size()) {
    for (auto& of_point : recorded_) of_point.resize(buckets_.size());
  }

  const LaunchContext& context_;
  const int max_rows_;
  const std::vector<int> buckets_;
  DeviceMemory device_memory_, host_input_, host_output_;
  SlotMemory memory_;
  std::unique_ptr<DeviceStream> stream_;
  std::vector<std::vector<Recorded>> recorded_;  // [point][bucket]
};

}  // namespace anybit::model::cuda

#endif  // ANYBIT_MODEL_ENGINE_CUDA_SLOT_H_
