// What NVML says of a GPU: load, memory, temperature, power and memory errors.
//
// NVML is part of the driver. It is loaded when it is first used, so no program needs it.
#ifndef ANYBIT_MODEL_ENGINE_CUDA_DEVICE_MONITOR_H_
#define ANYBIT_MODEL_ENGINE_CUDA_DEVICE_MONITOR_H_

#include <memory>
#include <string>

#include "model/engine/device_reading.h"

namespace anybit::model::cuda {

// The functions of NVML that are called, with the types of its stable interface: an nvmlReturn_t is an int, 0 if it
// succeeded, an nvmlDevice_t a pointer.
struct NvmlFunctions {
  struct Utilization {
    unsigned gpu, memory;  // per cent
  };
  struct Memory {
    unsigned long long total, free, used;  // bytes
  };
  int (*init)() = nullptr;
  int (*device_by_uuid)(const char* uuid, void** device) = nullptr;
  int (*utilization)(void* device, Utilization* utilization) = nullptr;
  int (*memory)(void* device, Memory* memory) = nullptr;
  int (*temperature)(void* device, int sensor, unsigned* celsius) = nullptr;
  int (*power)(void* device, unsigned* milliwatts) = nullptr;
  int (*ecc_errors)(void* device, int type, int counter, unsigned long long* count) = nullptr;
};

class DeviceMonitor {
 public:
  // Loads NVML. Null where it, or the device, is not there: then nothing is known.
  static std::unique_ptr<DeviceMonitor> Open(const std::string& uuid);
  static std::unique_ptr<DeviceMonitor> Open(const std::string& uuid, const NvmlFunctions& nvml);

  // Any thread. What the device does not tell is missing.
  DeviceReading Read() const;

 private:
  DeviceMonitor(std::string uuid, const NvmlFunctions& nvml, void* device)
      : uuid_(std::move(uuid)), nvml_(nvml), device_(device) {}

  const std::string uuid_;
  const NvmlFunctions nvml_;
  void* const device_;
};

}  // namespace anybit::model::cuda

#endif  // ANYBIT_MODEL_ENGINE_CUDA_DEVICE_MONITOR_H_
