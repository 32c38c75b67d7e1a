#include "server/gpu_backend.h"

namespace anybit::server {

std::unique_ptr<GpuBackend> MakeGpuBackend() { return nullptr; }

}  // namespace anybit::server
