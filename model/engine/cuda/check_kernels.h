// Checks each kernel of the GPU engine on a device, over the CPU engine's shapes and some of ResNet-50's.
#ifndef ANYBIT_MODEL_ENGINE_CUDA_CHECK_KERNELS_H_
#define ANYBIT_MODEL_ENGINE_CUDA_CHECK_KERNELS_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/engine/cuda/device.h"
#include "model/engine/cuda/device_memory.h"
#include "model/kernels/testing/conv_cases.h"

namespace anybit::model::cuda {

// Device memory with these bytes.
absl::StatusOr<DeviceMemory> Upload(Device& device, DeviceStream& stream, const void* bytes, int64_t count);
template <class T>
absl::StatusOr<DeviceMemory> Upload(Device& device, DeviceStream& stream, const std::vector<T>& values) {
  return Upload(device, stream, values.data(), static_cast<int64_t>(values.size() * sizeof(T)));
}

// Of one algorithm.
struct KernelVerdict {
  std::string algorithm;
  int64_t cases = 0, wrong = 0;
  std::string first_wrong;
};

// Those of the CPU engine's suite, and some as large as ResNet-50's.
std::vector<ConvShape> ShapesForDevices();

// Every `every`-th case of each algorithm that the device offers, one verdict for each.
absl::Status CheckKernels(Device& device, std::span<const ConvShape> shapes, int every,
                          absl::FunctionRef<void(const KernelVerdict&)> tell);

}  // namespace anybit::model::cuda

#endif  // ANYBIT_MODEL_ENGINE_CUDA_CHECK_KERNELS_H_
