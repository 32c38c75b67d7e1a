#include "server/device_request.h"

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace anybit::server {

absl::StatusOr<DeviceRequest> ParseDevice(absl::string_view text) {
  if (text == "auto") return DeviceRequest{};
  if (text == "cpu") return DeviceRequest{.kind = DeviceRequest::Kind::kCpu};
  absl::string_view number = text;
  int gpu = 0;
  if (absl::ConsumePrefix(&number, "cuda:") && absl::SimpleAtoi(number, &gpu) && gpu >= 0) {
    return DeviceRequest{.kind = DeviceRequest::Kind::kGpu, .gpu = gpu};
  }
  return absl::InvalidArgumentError(absl::StrCat("--device is '", text, "', expected auto, cpu or cuda:N"));
}

}  // namespace anybit::server
