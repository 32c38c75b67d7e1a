#include "model/engine/cuda/runtime_device.h"

#include <cuda_runtime_api.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "model/kernels/cuda/launch.h"

namespace anybit::model::cuda {
namespace {

// No batch takes as long. A device that fell off its bus may never answer.
constexpr std::chrono::seconds kAwaitLimit(30);
// Batches of small networks end within this: then the wait does not sleep.
constexpr std::chrono::microseconds kSpinning(300);
constexpr std::chrono::microseconds kPolling(20);

absl::Status StatusOf(cudaError_t error, absl::string_view what) {
  if (error == cudaSuccess) return absl::OkStatus();
  const std::string text = absl::StrCat(what, ": ", cudaGetErrorString(error), " (", cudaGetErrorName(error), ")");
  // Without this, a later launch would report an error that was reported.
  cudaGetLastError();
  if (error == cudaErrorMemoryAllocation) return absl::ResourceExhaustedError(text);
  return absl::InternalError(text);
}

class RuntimeGraph : public DeviceGraph {
 public:
  RuntimeGraph(int device, cudaGraphExec_t graph) : device_(device), graph_(graph) {}
  ~RuntimeGraph() override {
    cudaSetDevice(device_);
    cudaGraphExecDestroy(graph_);
  }
  cudaGraphExec_t get() const { return graph_; }

 private:
  const int device_;
  const cudaGraphExec_t graph_;
};

class RuntimeStream : public DeviceStream {
 public:
  static absl::StatusOr<std::unique_ptr<RuntimeStream>> Create(int device) {
    std::unique_ptr<RuntimeStream> made(new RuntimeStream(device));
    absl::Status status =
        StatusOf(cudaStreamCreateWithFlags(&made->stream_, cudaStreamNonBlocking), "cudaStreamCreate");
    if (!status.ok()) return status;
    status = StatusOf(cudaEventCreateWithFlags(&made->done_, cudaEventDisableTiming), "cudaEventCreate");
    if (!status.ok()) return status;
    return made;
  }

  ~RuntimeStream() override {
    cudaSetDevice(device_);
    for (cudaEvent_t mark : marks_) {
      if (mark != nullptr) cudaEventDestroy(mark);
    }
    if (done_ != nullptr) cudaEventDestroy(done_);
    if (stream_ != nullptr) cudaStreamDestroy(stream_);
  }

  absl::Status CopyIn(void* device, const void* host, int64_t bytes) override {
    cudaSetDevice(device_);
    return StatusOf(cudaMemcpyAsync(device, host, bytes, cudaMemcpyHostToDevice, stream_), "copy to the device");
  }
  absl::Status CopyOut(void* host, const void* device, int64_t bytes) override {
    cudaSetDevice(device_);
    return StatusOf(cudaMemcpyAsync(host, device, bytes, cudaMemcpyDeviceToHost, stream_), "copy from the device");
  }
  absl::Status Run(const KernelCall& call) override {
    cudaSetDevice(device_);
    return StatusOf(static_cast<cudaError_t>(Launch(call, stream_)), "launch");
  }

  absl::StatusOr<std::unique_ptr<DeviceGraph>> Record(
      absl::FunctionRef<absl::Status(DeviceStream& stream)> work) override {
    cudaSetDevice(device_);
    absl::Status status =
        StatusOf(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeRelaxed), "cudaStreamBeginCapture");
    if (!status.ok()) return status;
    recording_ = true;
    status = work(*this);
    recording_ = false;
    cudaGraph_t graph = nullptr;
    status.Update(StatusOf(cudaStreamEndCapture(stream_, &graph), "cudaStreamEndCapture"));
    cudaGraphExec_t ready = nullptr;
    if (status.ok()) status = StatusOf(cudaGraphInstantiate(&ready, graph, 0), "cudaGraphInstantiate");
    if (graph != nullptr) cudaGraphDestroy(graph);
    if (!status.ok()) return status;
    auto recorded = std::make_unique<RuntimeGraph>(device_, ready);
    // The first launch would otherwise copy it to the device.
    status = StatusOf(cudaGraphUpload(ready, stream_), "cudaGraphUpload");
    if (!status.ok()) return status;
    return recorded;
  }
  absl::Status RunGraph(DeviceGraph& graph) override {
    cudaSetDevice(device_);
    return StatusOf(cudaGraphLaunch(static_cast<RuntimeGraph&>(graph).get(), stream_), "cudaGraphLaunch");
  }

  absl::Status Mark(int mark) override {
    cudaSetDevice(device_);
    if (mark >= static_cast<int>(marks_.size())) marks_.resize(mark + 1, nullptr);
    if (marks_[mark] == nullptr) {
      absl::Status status = StatusOf(cudaEventCreate(&marks_[mark]), "cudaEventCreate");
      if (!status.ok()) return status;
    }
    // External: of a graph, a node that notes the time of each launch.
    const unsigned flags = recording_ ? cudaEventRecordExternal : cudaEventRecordDefault;
    return StatusOf(cudaEventRecordWithFlags(marks_[mark], stream_, flags), "cudaEventRecord");
  }
  absl::StatusOr<std::chrono::nanoseconds> TimeBetween(int first, int second) override {
    cudaSetDevice(device_);
    float milliseconds = 0;
    absl::Status status =
        StatusOf(cudaEventElapsedTime(&milliseconds, marks_[first], marks_[second]), "cudaEventElapsedTime");
    if (!status.ok()) return status;
    return std::chrono::nanoseconds(static_cast<int64_t>(double{milliseconds} * 1e6));
  }

  absl::Status Await() override {
    cudaSetDevice(device_);
    absl::Status status = StatusOf(cudaEventRecord(done_, stream_), "cudaEventRecord");
    if (!status.ok()) return status;
    // cudaEventSynchronize may wait for ever for a device that is gone.
    const auto start = std::chrono::steady_clock::now();
    while (true) {
      const cudaError_t error = cudaEventQuery(done_);
      if (error != cudaErrorNotReady) return StatusOf(error, "the batch");
      cudaGetLastError();
      const auto waited = std::chrono::steady_clock::now() - start;
      if (waited > kAwaitLimit) {
        return absl::DeadlineExceededError(absl::StrCat("no end of the batch after ", kAwaitLimit.count(), " s"));
      }
      if (waited > kSpinning) std::this_thread::sleep_for(kPolling);
    }
  }

 private:
  explicit RuntimeStream(int device) : device_(device) {}

  const int device_;
  cudaStream_t stream_ = nullptr;
  cudaEvent_t done_ = nullptr;
  std::vector<cudaEvent_t> marks_;
  bool recording_ = false;
};

class RuntimeDevice : public Device {
 public:
  explicit RuntimeDevice(DeviceFacts facts) : facts_(std::move(facts)) {}

  const DeviceFacts& facts() const override { return facts_; }

  absl::StatusOr<int64_t> FreeBytes() override {
    cudaSetDevice(facts_.index);
    size_t free = 0, total = 0;
    absl::Status status = StatusOf(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
    if (!status.ok()) return status;
    return static_cast<int64_t>(free);
  }
  absl::StatusOr<uint8_t*> Allocate(int64_t bytes) override {
    cudaSetDevice(facts_.index);
    void* memory = nullptr;
    absl::Status status = StatusOf(cudaMalloc(&memory, bytes), absl::StrCat("allocation of ", bytes, " bytes"));
    if (!status.ok()) return status;
    return static_cast<uint8_t*>(memory);
  }
  void Free(uint8_t* memory) override {
    cudaSetDevice(facts_.index);
    cudaFree(memory);
  }
  absl::StatusOr<uint8_t*> AllocateHost(int64_t bytes) override {
    cudaSetDevice(facts_.index);
    void* memory = nullptr;
    absl::Status status =
        StatusOf(cudaMallocHost(&memory, bytes), absl::StrCat("allocation of ", bytes, " bytes of pinned memory"));
    if (!status.ok()) return status;
    return static_cast<uint8_t*>(memory);
  }
  void FreeHost(uint8_t* memory) override {
    cudaSetDevice(facts_.index);
    cudaFreeHost(memory);
  }
  absl::StatusOr<std::unique_ptr<DeviceStream>> MakeStream() override {
    cudaSetDevice(facts_.index);
    absl::StatusOr<std::unique_ptr<RuntimeStream>> stream = RuntimeStream::Create(facts_.index);
    if (!stream.ok()) return stream.status();
    return *std::move(stream);
  }

 private:
  const DeviceFacts facts_;
};

std::string UuidText(const cudaUUID_t& uuid) {
  std::string text = "GPU-";
  for (int i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    char digits[3];
    std::snprintf(digits, sizeof digits, "%02x", static_cast<unsigned char>(uuid.bytes[i]));
    text += digits;
  }
  return text;
}

}  // namespace

Machine ProbeMachine() {
  Machine machine;
  cudaRuntimeGetVersion(&machine.runtime_version);
  // No driver is version 0, and no error.
  if (cudaDriverGetVersion(&machine.driver_version) != cudaSuccess) machine.driver_version = 0;
  for (const CompiledArchitecture& each : CompiledArchitectures()) {
    machine.compiled.push_back({.architecture = each.architecture, .exact = each.exact});
  }
  if (machine.driver_version == 0) return machine;
  int count = 0;
  if (const cudaError_t error = cudaGetDeviceCount(&count); error != cudaSuccess) {
    cudaGetLastError();
    if (error != cudaErrorNoDevice) machine.driver_error = cudaGetErrorString(error);
    return machine;
  }
  for (int index = 0; index < count; ++index) {
    cudaDeviceProp properties{};
    if (cudaGetDeviceProperties(&properties, index) != cudaSuccess) continue;
    machine.devices.push_back({.name = properties.name, .architecture = properties.major * 10 + properties.minor});
  }
  return machine;
}

absl::StatusOr<std::unique_ptr<Device>> OpenDevice(int index) {
  cudaDeviceProp properties{};
  absl::Status status = StatusOf(cudaGetDeviceProperties(&properties, index), "cudaGetDeviceProperties");
  if (status.ok()) status = StatusOf(cudaSetDevice(index), "cudaSetDevice");
  if (!status.ok()) return status;
  int driver = 0;
  cudaDriverGetVersion(&driver);
  return std::make_unique<RuntimeDevice>(DeviceFacts{.index = index,
                                                     .name = properties.name,
                                                     .uuid = UuidText(properties.uuid),
                                                     .architecture = properties.major * 10 + properties.minor,
                                                     .driver = absl::StrCat(driver / 1000, ".", driver % 1000 / 10),
                                                     .memory_bytes = static_cast<int64_t>(properties.totalGlobalMem)});
}

}  // namespace anybit::model::cuda
