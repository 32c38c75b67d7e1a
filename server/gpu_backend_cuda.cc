#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/engine/cuda/cuda_network.h"
#include "model/engine/cuda/device_monitor.h"
#include "model/engine/cuda/find_device.h"
#include "model/engine/cuda/runtime_device.h"
#include "server/gpu_backend.h"

namespace anybit::server {
namespace {

namespace cuda = model::cuda;

class CudaBackend : public GpuBackend {
 public:
  absl::Status Check(int index) const override { return cuda::CheckDevice(machine_, index); }
  absl::StatusOr<int> FirstUsable() const override { return cuda::FirstUsableDevice(machine_); }

  std::string Architectures() const override {
    return absl::StrJoin(machine_.compiled, ", ", [](std::string* out, const cuda::Compiled& each) {
      absl::StrAppend(out, "sm_", each.architecture, each.exact ? "a" : "");
    });
  }

  absl::StatusOr<std::unique_ptr<model::AdaptiveNetwork>> Load(model::Artifact artifact, int index,
                                                               const GpuNetworkOptions& options) override {
    absl::StatusOr<std::unique_ptr<cuda::Device>> device = cuda::OpenDevice(index);
    if (!device.ok()) return device.status();
    devices_.push_back(*std::move(device));
    cuda::Device& opened = *devices_.back();
    monitors_.push_back(cuda::DeviceMonitor::Open(opened.facts().uuid));
    return cuda::CudaNetwork::Create(std::move(artifact), opened,
                                     {.slots = options.slots,
                                      .max_rows = options.max_rows,
                                      .memory_budget = options.memory_budget,
                                      .monitor = monitors_.back().get()});
  }

 private:
  const cuda::Machine machine_ = cuda::ProbeMachine();
  std::vector<std::unique_ptr<cuda::Device>> devices_;
  std::vector<std::unique_ptr<cuda::DeviceMonitor>> monitors_;
};

}  // namespace

std::unique_ptr<GpuBackend> MakeGpuBackend() { return std::make_unique<CudaBackend>(); }

}  // namespace anybit::server
