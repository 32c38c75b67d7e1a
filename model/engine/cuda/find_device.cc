#include "model/engine/cuda/find_device.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace anybit::model::cuda {
namespace {

std::string VersionText(int version) { return absl::StrCat(version / 1000, ".", version % 1000 / 10); }

std::string CompiledText(const std::vector<Compiled>& compiled) {
  return absl::StrJoin(compiled, ", ", [](std::string* out, const Compiled& each) {
    absl::StrAppend(out, "sm_", each.architecture, each.exact ? "a" : "");
  });
}

// Why no device of `machine` can be used.
absl::Status CheckDriver(const Machine& machine) {
  if (machine.driver_version == 0) {
    return absl::FailedPreconditionError("no NVIDIA driver: libcuda.so.1 is not on this machine");
  }
  // Within a major version any driver will do.
  if (machine.driver_version / 1000 < machine.runtime_version / 1000) {
    return absl::FailedPreconditionError(absl::StrCat("the NVIDIA driver is for CUDA ",
                                                      VersionText(machine.driver_version), "; this program needs ",
                                                      machine.runtime_version / 1000, ".0 or later"));
  }
  if (!machine.driver_error.empty()) {
    return absl::FailedPreconditionError(absl::StrCat("the NVIDIA driver lists no devices: ", machine.driver_error));
  }
  if (machine.devices.empty()) return absl::FailedPreconditionError("no NVIDIA GPU: the driver lists no devices");
  return absl::OkStatus();
}

}  // namespace

bool RunsOn(const std::vector<Compiled>& compiled, int architecture) {
  return std::any_of(compiled.begin(), compiled.end(), [&](const Compiled& each) {
    if (each.exact) return each.architecture == architecture;
    return each.architecture / 10 == architecture / 10 && each.architecture <= architecture;
  });
}

absl::Status CheckDevice(const Machine& machine, int index) {
  if (absl::Status status = CheckDriver(machine); !status.ok()) return status;
  const int devices = static_cast<int>(machine.devices.size());
  if (index < 0 || index >= devices) {
    return absl::FailedPreconditionError(
        absl::StrCat("no GPU ", index, ": the driver lists ", devices, devices == 1 ? " device" : " devices"));
  }
  const FoundDevice& device = machine.devices[index];
  if (!RunsOn(machine.compiled, device.architecture)) {
    return absl::FailedPreconditionError(absl::StrCat("GPU ", index, " (", device.name, ") is of architecture sm_",
                                                      device.architecture, "; this program has kernels for ",
                                                      CompiledText(machine.compiled)));
  }
  return absl::OkStatus();
}

absl::StatusOr<int> FirstUsableDevice(const Machine& machine) {
  if (absl::Status status = CheckDriver(machine); !status.ok()) return status;
  for (int index = 0; index < static_cast<int>(machine.devices.size()); ++index) {
    if (CheckDevice(machine, index).ok()) return index;
  }
  return CheckDevice(machine, 0);
}

}  // namespace anybit::model::cuda
