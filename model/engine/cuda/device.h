// The boundary to CUDA: every call of it that the engine makes, and nothing else.
//
// RuntimeDevice makes these calls; HostDevice (testing/) carries them out on the host and injects faults. Errors:
// ResourceExhausted where memory is out; any other one says that the device, or this process's use of it, is lost.
#ifndef ANYBIT_MODEL_ENGINE_CUDA_DEVICE_H_
#define ANYBIT_MODEL_ENGINE_CUDA_DEVICE_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/kernels/cuda/calls.h"

namespace anybit::model::cuda {

struct DeviceFacts {
  int index = 0;
  std::string name;      // "NVIDIA H200"
  std::string uuid;      // "GPU-..."
  int architecture = 0;  // 10 * major + minor of its compute capability
  std::string driver;    // the CUDA version that the driver is for: "13.0"
  int64_t memory_bytes = 0;
};

// Work recorded once and launched as a whole.
class DeviceGraph {
 public:
  virtual ~DeviceGraph() = default;
};

// Work in order. Calls return before the work is done; errors of the work come out of a later call, Await at the
// latest. One thread at a time.
class DeviceStream {
 public:
  static constexpr int kMaxMarks = 8192;

  virtual ~DeviceStream() = default;

  // Host memory is that of Device::AllocateHost.
  virtual absl::Status CopyIn(void* device, const void* host, int64_t bytes) = 0;
  virtual absl::Status CopyOut(void* host, const void* device, int64_t bytes) = 0;
  virtual absl::Status Run(const KernelCall& call) = 0;

  // Records what `work` puts into the stream it is given, instead of running it.
  virtual absl::StatusOr<std::unique_ptr<DeviceGraph>> Record(
      absl::FunctionRef<absl::Status(DeviceStream& stream)> work) = 0;
  virtual absl::Status RunGraph(DeviceGraph& graph) = 0;

  // Notes the time at which the work so far is done as number 0 <= mark < kMaxMarks.
  virtual absl::Status Mark(int mark) = 0;
  // Of marks that are done.
  virtual absl::StatusOr<std::chrono::nanoseconds> TimeBetween(int first, int second) = 0;

  // Until all work is done; DeadlineExceeded after a time that no batch takes.
  virtual absl::Status Await() = 0;
};

// Any thread. Outlives all that it made.
class Device {
 public:
  virtual ~Device() = default;

  virtual const DeviceFacts& facts() const = 0;
  virtual absl::StatusOr<int64_t> FreeBytes() = 0;

  // Of the device, aligned to kDeviceAlignment, with any contents; and of the host, where copies reach it directly.
  virtual absl::StatusOr<uint8_t*> Allocate(int64_t bytes) = 0;
  virtual void Free(uint8_t* memory) = 0;
  virtual absl::StatusOr<uint8_t*> AllocateHost(int64_t bytes) = 0;
  virtual void FreeHost(uint8_t* memory) = 0;

  virtual absl::StatusOr<std::unique_ptr<DeviceStream>> MakeStream() = 0;
};

}  // namespace anybit::model::cuda

#endif  // ANYBIT_MODEL_ENGINE_CUDA_DEVICE_H_
