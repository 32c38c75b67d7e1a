// Memory of a device, or of the host for copies, that frees itself.
#ifndef ANYBIT_MODEL_ENGINE_CUDA_DEVICE_MEMORY_H_
#define ANYBIT_MODEL_ENGINE_CUDA_DEVICE_MEMORY_H_

#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/engine/cuda/device.h"

namespace anybit::model::cuda {

class DeviceMemory {
 public:
  enum class Place : uint8_t { kDevice, kHost };

  DeviceMemory() = default;
  static absl::StatusOr<DeviceMemory> Allocate(Device& device, int64_t bytes, Place place = Place::kDevice) {
    if (bytes == 0) return DeviceMemory();
    absl::StatusOr<uint8_t*> data = place == Place::kHost ? device.AllocateHost(bytes) : device.Allocate(bytes);
    if (!data.ok()) return data.status();
    return DeviceMemory(device, *data, bytes, place);
  }
  DeviceMemory(DeviceMemory&& other) noexcept { *this = std::move(other); }
  DeviceMemory& operator=(DeviceMemory&& other) noexcept {
    std::swap(device_, other.device_);
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    std::swap(place_, other.place_);
    return *this;
  }
  ~DeviceMemory() {
    if (data_ == nullptr) return;
    place_ == Place::kHost ? device_->FreeHost(data_) : device_->Free(data_);
  }

  uint8_t* data() const { return data_; }
  int64_t bytes() const { return bytes_; }

 private:
  DeviceMemory(Device& device, uint8_t* data, int64_t bytes, Place place)
      : device_(&device), data_(data), bytes_(bytes), place_(place) {}

  Device* device_ = nullptr;
  uint8_t* data_ = nullptr;
  int64_t bytes_ = 0;
  Place place_ = Place::kDevice;
};

}  // namespace anybit::model::cuda

#endif  // ANYBIT_MODEL_ENGINE_CUDA_DEVICE_MEMORY_H_
