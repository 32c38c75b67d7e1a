// A device on the host, for tests without a GPU: kernels are their own bodies on an emulated block.
//
// Work runs when it is given, or when its graph is launched; errors of the work come out of Await, as CUDA's do. Every
// call is counted, and one of them can be made to fail. What is not freed, and what is read of memory never written, is
// seen by AddressSanitizer and by garbage.
#ifndef ANYBIT_MODEL_ENGINE_CUDA_TESTING_HOST_DEVICE_H_
#define ANYBIT_MODEL_ENGINE_CUDA_TESTING_HOST_DEVICE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/engine/cuda/device.h"

namespace anybit::model::cuda {

enum class Fault : uint8_t {
  kOutOfMemory,  // this call alone, where it allocates
  kLost,         // this call, and then all others
  kAsync,        // work of this call: an error from Await on
  kHang,         // likewise, but Await gives up
};

struct HostDeviceOptions {
  int architecture = 80;
  int64_t memory_bytes = int64_t{4} << 30;
  bool miscomputes = false;    // a code of each copy to the host is wrong
  bool wrong_cutlass = false;  // its kernels give other codes
  int64_t fault_at = -1;       // number of the call that fails
  Fault fault = Fault::kLost;
};

class HostDevice : public Device {
 public:
  explicit HostDevice(const HostDeviceOptions& options);

  const DeviceFacts& facts() const override { return facts_; }
  absl::StatusOr<int64_t> FreeBytes() override;
  absl::StatusOr<uint8_t*> Allocate(int64_t bytes) override;
  void Free(uint8_t* memory) override;
  absl::StatusOr<uint8_t*> AllocateHost(int64_t bytes) override;
  void FreeHost(uint8_t* memory) override;
  absl::StatusOr<std::unique_ptr<DeviceStream>> MakeStream() override;

  // So far: calls in all, and those that allocate memory or record graphs.
  int64_t calls() const { return calls_; }
  int64_t allocations() const { return allocations_; }
  int64_t allocated_bytes() const { return allocated_bytes_; }
  // From now on the call of this number, counted from here, fails.
  void FailAt(int64_t call, Fault fault);
  bool fault_has_happened() const { return happened_; }

 private:
  friend class HostStream;

  // Counts a call; the error that it is to have.
  absl::Status Call(bool allocates);

  DeviceFacts facts_;
  HostDeviceOptions options_;
  int64_t calls_ = 0, allocations_ = 0, allocated_bytes_ = 0;
  bool happened_ = false;
  absl::Status lost_, async_;
};

}  // namespace anybit::model::cuda

#endif  // ANYBIT_MODEL_ENGINE_CUDA_TESTING_HOST_DEVICE_H_
