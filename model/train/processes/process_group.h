// The processes that train one network together, over c10d: Gloo on CPUs, NCCL on GPUs.
//
// Every process holds the whole network and computes the gradients of its share of each batch. Averaged over the group
// they are the gradients of the whole batch, so that all processes take the same step and stay equal. All processes
// must make the same calls in the same order.
//
// Over Gloo a call ends within the group's timeout. Where a process is gone or late it is Unavailable, and the group
// can no longer be used. Over NCCL a call only queues work, and c10d's watchdog ends the process after the timeout,
// unless TORCH_NCCL_BLOCKING_WAIT is set.
#ifndef ANYBIT_MODEL_TRAIN_PROCESSES_PROCESS_GROUP_H_
#define ANYBIT_MODEL_TRAIN_PROCESSES_PROCESS_GROUP_H_

#include <torch/types.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model/train/processes/launch.h"

namespace anybit::model::train {

class ProcessGroup {
 public:
  enum class Transport {
    kGloo,  // tensors on CPUs
    kNccl,  // tensors on GPUs; joining selects the device numbered local_rank for the calling thread
  };

  // The key-value store by which the processes find each other; each of them opens it. The process that serves it may
  // ask for port 0, and reads the port that it got here.
  class Rendezvous {
   public:
    virtual ~Rendezvous() = default;
    virtual int port() const = 0;
  };
  static absl::StatusOr<std::unique_ptr<Rendezvous>> Open(const Launch& launch, std::chrono::milliseconds timeout);

  // Blocks until all processes of the group have joined. Unavailable after `timeout`, which also limits every later
  // call; Unimplemented for a transport that this binary does not have.
  static absl::StatusOr<std::unique_ptr<ProcessGroup>> Join(const Launch& launch, Rendezvous& rendezvous,
                                                            Transport transport, std::chrono::milliseconds timeout);

  virtual ~ProcessGroup() = default;

  virtual int rank() const = 0;
  virtual int size() const = 0;

  // Replaces every tensor by its sum, or its mean, over the group: the same bits in all processes. The tensors must
  // have the same shapes and types in all processes. They need not be contiguous; they travel in a few flat buffers.
  virtual absl::Status Sum(absl::Span<const torch::Tensor> tensors) = 0;
  virtual absl::Status Average(absl::Span<const torch::Tensor> tensors) = 0;

  // Replaces every tensor by the tensor of process `root`.
  virtual absl::Status Broadcast(absl::Span<const torch::Tensor> tensors, int root = 0) = 0;

  // Returns when all processes have called it.
  virtual absl::Status Barrier() = 0;
};

// Replaces the gradients of `parameters` by their means over the group. Parameters without a gradient are skipped; they
// must be the same in all processes.
absl::Status AverageGradients(ProcessGroup& group, absl::Span<const torch::Tensor> parameters);

// A copy of `value`, without gradient, averaged over `group`; null: this process alone. The errors of Average.
absl::StatusOr<torch::Tensor> MeanOverGroup(ProcessGroup* group, const torch::Tensor& value);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_PROCESSES_PROCESS_GROUP_H_
