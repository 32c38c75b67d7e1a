#include "model/engine/cuda/find_device.h"

#include <gtest/gtest.h>

namespace anybit::model::cuda {
namespace {

Machine WithDevices(std::vector<FoundDevice> devices) {
  return {.runtime_version = 13000,
          .driver_version = 13010,
          .devices = std::move(devices),
          .compiled = {{80, false}, {90, true}}};
}

TEST(FindDevice, SaysThatThereIsNoDriver) {
  EXPECT_EQ(CheckDevice({.runtime_version = 13000}, 0).message(),
            "no NVIDIA driver: libcuda.so.1 is not on this machine");
}

TEST(FindDevice, SaysThatTheDriverIsTooOld) {
  EXPECT_EQ(CheckDevice({.runtime_version = 13000, .driver_version = 12080}, 0).message(),
            "the NVIDIA driver is for CUDA 12.8; this program needs 13.0 or later");
}

TEST(FindDevice, TakesADriverOfTheSameMajorVersion) {
  Machine machine = WithDevices({{"A100", 80}});
  machine.runtime_version = 13020;
  machine.driver_version = 13000;
  EXPECT_TRUE(CheckDevice(machine, 0).ok());
}

TEST(FindDevice, SaysThatThereIsNoDevice) {
  EXPECT_EQ(CheckDevice(WithDevices({}), 0).message(), "no NVIDIA GPU: the driver lists no devices");
  Machine broken = WithDevices({});
  broken.driver_error = "system not yet initialized";
  EXPECT_EQ(CheckDevice(broken, 0).message(), "the NVIDIA driver lists no devices: system not yet initialized");
}

TEST(FindDevice, SaysThatThereIsNoDeviceOfThatNumber) {
  EXPECT_EQ(CheckDevice(WithDevices({{"A100", 80}}), 2).message(), "no GPU 2: the driver lists 1 device");
}

TEST(FindDevice, SaysThatTheArchitectureWasNotCompiledIn) {
  EXPECT_EQ(CheckDevice(WithDevices({{"Tesla T4", 75}}), 0).message(),
            "GPU 0 (Tesla T4) is of architecture sm_75; this program has kernels for sm_80, sm_90a");
}

TEST(FindDevice, RunsCodeOnLaterArchitecturesOfItsGenerationUnlessItIsForOneAlone) {
  EXPECT_TRUE(RunsOn({{80, false}}, 80));
  EXPECT_TRUE(RunsOn({{80, false}}, 89));
  EXPECT_FALSE(RunsOn({{86, false}}, 80));
  EXPECT_FALSE(RunsOn({{80, false}}, 90));
  EXPECT_TRUE(RunsOn({{100, true}}, 100));
  EXPECT_FALSE(RunsOn({{100, true}}, 103));
}

TEST(FindDevice, PrefersTheFirstDeviceThatItCanUse) {
  EXPECT_EQ(*FirstUsableDevice(WithDevices({{"T4", 75}, {"H200", 90}, {"A100", 80}})), 1);
  EXPECT_EQ(FirstUsableDevice(WithDevices({{"T4", 75}, {"V100", 70}})).status().message(),
            "GPU 0 (T4) is of architecture sm_75; this program has kernels for sm_80, sm_90a");
  EXPECT_FALSE(FirstUsableDevice({}).ok());
}

}  // namespace
}  // namespace anybit::model::cuda
