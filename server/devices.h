// Where a network runs: what was asked for, on what this machine has.
#ifndef ANYBIT_SERVER_DEVICES_H_
#define ANYBIT_SERVER_DEVICES_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "server/device_request.h"
#include "server/gpu_backend.h"

namespace anybit::server {

struct DeviceChoice {
  std::optional<int> gpu;  // none: the CPU
  std::string note;        // for people: why it is the CPU though a GPU would have been used; may be empty
};

// `backend` is null in a program without one. FailedPrecondition, in one line, where the GPU that was asked for cannot
// be used.
absl::StatusOr<DeviceChoice> ChooseDevice(const DeviceRequest& request, const GpuBackend* backend);

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_DEVICES_H_
