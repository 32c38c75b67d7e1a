// The processes that train one network together, over c10d: Gloo on CPUs, NCCL on GPUs.
//
// Every process holds the whole network and computes the gradients of its share of each batch; averaged over the group
// they are those of the whole batch, so that all processes take the same step and stay equal. What is called here is
// called by all processes in the same order. Over Gloo a call ends within the group's timeout: where a process is gone
// or late, it is Unavailable and the group is of no further use. Over NCCL a call only queues work, and c10d's watchdog
// ends the process after the timeout, unless TORCH_NCCL_BLOCKING_WAIT is set.
#ifndef ANYBIT_MODEL_TRAIN_PROCESSES_PROCESS_GROUP_H_
#define ANYBIT_MODEL_TRAIN_PROCESSES_PROCESS_GROUP_H_

#include <torch/torch.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model/train/processes/launch.h"

namespace anybit {

class ProcessGroup {
 public:
  enum class Transport {
    kGloo,  // tensors on CPUs
    kNccl,  // tensors on GPUs; joining selects the device numbered local_rank for the calling thread
  };

  // Where the processes find each other: a key-value store, opened by each of them. The one that serves it may ask for
  // port 0 and learn here which one it got.
  class Rendezvous {
   public:
    virtual ~Rendezvous() = default;
    virtual int port() const = 0;
  };
  static absl::StatusOr<std::unique_ptr<Rendezvous>> Open(const Launch& launch, std::chrono::milliseconds timeout);

  // Blocks until all of the group have joined. Unavailable after `timeout`, which is then that of every call;
  // Unimplemented for a transport that this binary lacks.
  static absl::StatusOr<std::unique_ptr<ProcessGroup>> Join(const Launch& launch, Rendezvous& rendezvous,
                                                            Transport transport, std::chrono::milliseconds timeout);

  virtual ~ProcessGroup() = default;

  virtual int rank() const = 0;
  virtual int size() const = 0;

  // Replaces every tensor by its sum, or its mean, over the group, bit for bit the same in all processes. The tensors
  // have the same shapes and types everywhere; they travel in few flat buffers. Contiguous or not.
  virtual absl::Status Sum(absl::Span<const torch::Tensor> tensors) = 0;
  virtual absl::Status Average(absl::Span<const torch::Tensor> tensors) = 0;

  // Replaces every tensor by that of process `root`.
  virtual absl::Status Broadcast(absl::Span<const torch::Tensor> tensors, int root = 0) = 0;

  // Returns when all processes have called it.
  virtual absl::Status Barrier() = 0;
};

// Average of the gradients of `parameters`; those that have none are the same in all processes and are skipped.
absl::Status AverageGradients(ProcessGroup& group, absl::Span<const torch::Tensor> parameters);

}  // namespace anybit

#endif  // ANYBIT_MODEL_TRAIN_PROCESSES_PROCESS_GROUP_H_
