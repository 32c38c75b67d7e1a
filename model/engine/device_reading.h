// The state of the device that a network runs on, as operators see it.
#ifndef ANYBIT_MODEL_ENGINE_DEVICE_READING_H_
#define ANYBIT_MODEL_ENGINE_DEVICE_READING_H_

#include <optional>
#include <string>

namespace anybit::model {

// In base units. What is not known is missing.
struct DeviceReading {
  std::string uuid;
  std::optional<double> utilization;  // part of recent time in which a kernel ran: 0..1
  std::optional<double> memory_used_bytes, memory_total_bytes;
  std::optional<double> temperature_celsius;
  std::optional<double> power_watts;
  std::optional<double> uncorrected_memory_errors;  // since the driver was loaded
};

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_ENGINE_DEVICE_READING_H_
