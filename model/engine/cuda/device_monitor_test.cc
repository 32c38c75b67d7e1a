#include "model/engine/cuda/device_monitor.h"

#include <cstring>
#include <optional>

#include <gtest/gtest.h>

namespace anybit::model::cuda {
namespace {

int device = 0;  // what the fake's handle points to

// A GPU without ECC memory, by the fake NVML.
NvmlFunctions FakeNvml() {
  return {.init = [] { return 0; },
          .device_by_uuid =
              [](const char* uuid, void** found) {
                *found = &device;
                return std::strcmp(uuid, "GPU-1") == 0 ? 0 : 6;
              },
          .utilization =
              [](void*, NvmlFunctions::Utilization* utilization) {
                *utilization = {.gpu = 75, .memory = 10};
                return 0;
              },
          .memory =
              [](void*, NvmlFunctions::Memory* memory) {
                *memory = {.total = 1000, .free = 400, .used = 600};
                return 0;
              },
          .temperature =
              [](void*, int sensor, unsigned* celsius) {
                *celsius = 61;
                return sensor;
              },
          .power =
              [](void*, unsigned* milliwatts) {
                *milliwatts = 350500;
                return 0;
              },
          .ecc_errors = [](void*, int, int, unsigned long long*) { return 3; }};
}

TEST(DeviceMonitor, ReadsInBaseUnits) {
  const auto monitor = DeviceMonitor::Open("GPU-1", FakeNvml());
  ASSERT_NE(monitor, nullptr);
  const DeviceReading reading = monitor->Read();
  EXPECT_EQ(reading.uuid, "GPU-1");
  EXPECT_EQ(reading.utilization, 0.75);
  EXPECT_EQ(reading.memory_used_bytes, 600);
  EXPECT_EQ(reading.memory_total_bytes, 1000);
  EXPECT_EQ(reading.temperature_celsius, 61);
  EXPECT_EQ(reading.power_watts, 350.5);
}

TEST(DeviceMonitor, LeavesOutWhatTheDeviceDoesNotTell) {
  EXPECT_EQ(DeviceMonitor::Open("GPU-1", FakeNvml())->Read().uncorrected_memory_errors, std::nullopt);
  NvmlFunctions old = FakeNvml();
  old.power = nullptr;
  EXPECT_EQ(DeviceMonitor::Open("GPU-1", old)->Read().power_watts, std::nullopt);
}

TEST(DeviceMonitor, IsNotThereWithoutItsDevice) { EXPECT_EQ(DeviceMonitor::Open("GPU-2", FakeNvml()), nullptr); }

}  // namespace
}  // namespace anybit::model::cuda
