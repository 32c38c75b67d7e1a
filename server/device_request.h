// What --device says.
#ifndef ANYBIT_SERVER_DEVICE_REQUEST_H_
#define ANYBIT_SERVER_DEVICE_REQUEST_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace anybit::server {

struct DeviceRequest {
  enum class Kind { kAuto, kCpu, kGpu } kind = Kind::kAuto;
  int gpu = 0;  // of kGpu
};

// "auto", "cpu", or "cuda:N" with N from 0. InvalidArgument for anything else.
absl::StatusOr<DeviceRequest> ParseDevice(absl::string_view text);

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_DEVICE_REQUEST_H_
