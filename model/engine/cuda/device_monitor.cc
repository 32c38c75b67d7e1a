#include "model/engine/cuda/device_monitor.h"

#include <dlfcn.h>

#include <utility>

namespace anybit::model::cuda {
namespace {

constexpr int kGpuSensor = 0;          // NVML_TEMPERATURE_GPU
constexpr int kUncorrectedErrors = 1;  // NVML_MEMORY_ERROR_TYPE_UNCORRECTED
constexpr int kVolatileCounter = 0;    // NVML_VOLATILE_ECC: since the driver was loaded

template <class Function>
bool Find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

}  // namespace

std::unique_ptr<DeviceMonitor> DeviceMonitor::Open(const std::string& uuid) {
  // It stays loaded: the driver does not like to be unloaded.
  void* library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return nullptr;
  NvmlFunctions nvml;
  if (!Find(library, "nvmlInit_v2", nvml.init) || !Find(library, "nvmlDeviceGetHandleByUUID", nvml.device_by_uuid)) {
    return nullptr;
  }
  (void)Find(library, "nvmlDeviceGetUtilizationRates", nvml.utilization);
  (void)Find(library, "nvmlDeviceGetMemoryInfo", nvml.memory);
  (void)Find(library, "nvmlDeviceGetTemperature", nvml.temperature);
  (void)Find(library, "nvmlDeviceGetPowerUsage", nvml.power);
  (void)Find(library, "nvmlDeviceGetTotalEccErrors", nvml.ecc_errors);
  return Open(uuid, nvml);
}

std::unique_ptr<DeviceMonitor> DeviceMonitor::Open(const std::string& uuid, const NvmlFunctions& nvml) {
  void* device = nullptr;
  if (nvml.init() != 0 || nvml.device_by_uuid(uuid.c_str(), &device) != 0) return nullptr;
  return std::unique_ptr<DeviceMonitor>(new DeviceMonitor(uuid, nvml, device));
}

DeviceReading DeviceMonitor::Read() const {
  DeviceReading reading{.uuid = uuid_};
  NvmlFunctions::Utilization utilization{};
  if (nvml_.utilization != nullptr && nvml_.utilization(device_, &utilization) == 0) {
    reading.utilization = utilization.gpu / 100.0;
  }
  NvmlFunctions::Memory memory{};
  if (nvml_.memory != nullptr && nvml_.memory(device_, &memory) == 0) {
    reading.memory_used_bytes = static_cast<double>(memory.used);
    reading.memory_total_bytes = static_cast<double>(memory.total);
  }
  unsigned celsius = 0, milliwatts = 0;
  if (nvml_.temperature != nullptr && nvml_.temperature(device_, kGpuSensor, &celsius) == 0) {
    reading.temperature_celsius = celsius;
  }
  if (nvml_.power != nullptr && nvml_.power(device_, &milliwatts) == 0) reading.power_watts = milliwatts / 1000.0;
  unsigned long long errors = 0;
  if (nvml_.ecc_errors != nullptr && nvml_.ecc_errors(device_, kUncorrectedErrors, kVolatileCounter, &errors) == 0) {
    reading.uncorrected_memory_errors = static_cast<double>(errors);
  }
  return reading;
}

}  // namespace anybit::model::cuda
