// A device that also measures how long the host takes to launch a graph: for gpu_check.
#ifndef ANYBIT_MODEL_ENGINE_CUDA_LAUNCH_CLOCK_H_
#define ANYBIT_MODEL_ENGINE_CUDA_LAUNCH_CLOCK_H_

#include <chrono>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/engine/cuda/device.h"

namespace anybit::model::cuda {

// Passes every call on. One thread.
class LaunchClock : public Device {
 public:
  explicit LaunchClock(Device& device) : device_(device) {}

  // The times of all launches since the last call of this, in seconds.
  std::vector<double> TakeSeconds() { return std::exchange(seconds_, {}); }

  const DeviceFacts& facts() const override { return device_.facts(); }
  absl::StatusOr<int64_t> FreeBytes() override { return device_.FreeBytes(); }
  absl::StatusOr<uint8_t*> Allocate(int64_t bytes) override { return device_.Allocate(bytes); }
  void Free(uint8_t* memory) override { device_.Free(memory); }
  absl::StatusOr<uint8_t*> AllocateHost(int64_t bytes) override { return device_.AllocateHost(bytes); }
  void FreeHost(uint8_t* memory) override { device_.FreeHost(memory); }
  absl::StatusOr<std::unique_ptr<DeviceStream>> MakeStream() override {
    absl::StatusOr<std::unique_ptr<DeviceStream>> stream = device_.MakeStream();
    if (!stream.ok()) return stream.status();
    return std::make_unique<Stream>(*std::move(stream), seconds_);
  }

 private:
  class Stream : public DeviceStream {
   public:
    Stream(std::unique_ptr<DeviceStream> stream, std::vector<double>& seconds)
        : stream_(std::move(stream)), seconds_(seconds) {}

    absl::Status CopyIn(void* device, const void* host, int64_t bytes) override {
      return stream_->CopyIn(device, host, bytes);
    }
    absl::Status CopyOut(void* host, const void* device, int64_t bytes) override {
      return stream_->CopyOut(host, device, bytes);
    }
    absl::Status Run(const KernelCall& call) override { return stream_->Run(call); }
    absl::StatusOr<std::unique_ptr<DeviceGraph>> Record(
        absl::FunctionRef<absl::Status(DeviceStream& stream)> work) override {
      return stream_->Record(work);
    }
    absl::Status RunGraph(DeviceGraph& graph) override {
      const auto start = std::chrono::steady_clock::now();
      absl::Status status = stream_->RunGraph(graph);
      seconds_.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
      return status;
    }
    absl::Status Mark(int mark) override { return stream_->Mark(mark); }
    absl::StatusOr<std::chrono::nanoseconds> TimeBetween(int first, int second) override {
      return stream_->TimeBetween(first, second);
    }
    absl::Status Await() override { return stream_->Await(); }

   private:
    const std::unique_ptr<DeviceStream> stream_;
    std::vector<double>& seconds_;
  };

  Device& device_;
  std::vector<double> seconds_;
};

}  // namespace anybit::model::cuda

#endif  // ANYBIT_MODEL_ENGINE_CUDA_LAUNCH_CLOCK_H_
