#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/mutex.h"
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
    absl::StatusOr<Opened*> opened = Open(index);
    if (!opened.ok()) return opened.status();
    return cuda::CudaNetwork::Create(std::move(artifact), *(*opened)->device,
                                     {.slots = options.slots,
                                      .max_rows = options.max_rows,
                                      .memory_budget = options.memory_budget,
                                      .monitor = (*opened)->monitor.get()});
  }

 private:
  // Networks of several versions share it, so it stays until the program ends.
  struct Opened {
    std::unique_ptr<cuda::Device> device;
    std::unique_ptr<cuda::DeviceMonitor> monitor;
  };

  absl::StatusOr<Opened*> Open(int index) {
    absl::MutexLock lock(&mutex_);
    Opened& opened = opened_[index];
    if (opened.device == nullptr) {
      absl::StatusOr<std::unique_ptr<cuda::Device>> device = cuda::OpenDevice(index);
      if (!device.ok()) return device.status();
      opened.device = *std::move(device);
      opened.monitor = cuda::DeviceMonitor::Open(opened.device->facts().uuid);
    }
    return &opened;
  }

  const cuda::Machine machine_ = cuda::ProbeMachine();
  absl::Mutex mutex_;
  std::map<int, Opened> opened_ ABSL_GUARDED_BY(mutex_);  // by index
};

}  // namespace

std::unique_ptr<GpuBackend> MakeGpuBackend() { return std::make_unique<CudaBackend>(); }

}  // namespace anybit::server
