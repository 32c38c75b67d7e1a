#include "server/devices.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace anybit::server {

absl::StatusOr<DeviceChoice> ChooseDevice(const DeviceRequest& request, const GpuBackend* backend) {
  switch (request.kind) {
    case DeviceRequest::Kind::kCpu: return DeviceChoice{};
    case DeviceRequest::Kind::kGpu: {
      if (backend == nullptr) {
        return absl::FailedPreconditionError(
            absl::StrCat("--device=cuda:", request.gpu,
                         ": this program has no GPU backend; anybit-server-cuda, built with --config=cuda, has one"));
      }
      if (absl::Status status = backend->Check(request.gpu); !status.ok()) {
        return absl::FailedPreconditionError(absl::StrCat("--device=cuda:", request.gpu, ": ", status.message()));
      }
      return DeviceChoice{.gpu = request.gpu};
    }
    case DeviceRequest::Kind::kAuto: break;
  }
  if (backend == nullptr) return DeviceChoice{};
  const absl::StatusOr<int> found = backend->FirstUsable();
  if (found.ok()) return DeviceChoice{.gpu = *found};
  return DeviceChoice{.note = absl::StrCat(found.status().message(), "; serving on the CPU")};
}

}  // namespace anybit::server
