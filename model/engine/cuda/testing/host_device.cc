#include "model/engine/cuda/testing/host_device.h"

#include <array>
#include <cstdlib>
#include <cstring>
#include <map>
#include <new>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/kernels/cuda/conv_plan.h"
#include "model/kernels/cuda/testing/run_on_host.h"

namespace anybit::model::cuda {
namespace {

constexpr int kGarbage = 0xA5;
// In front of each allocation, so that it stays aligned; holds its size.
constexpr int64_t kHeader = kDeviceAlignment;

uint8_t* AlignedGarbage(int64_t bytes) {
  auto* memory = static_cast<uint8_t*>(::operator new (bytes + kHeader, std::align_val_t{kDeviceAlignment}));
  std::memset(memory, kGarbage, bytes + kHeader);
  std::memcpy(memory, &bytes, sizeof bytes);
  return memory + kHeader;
}

int64_t FreeAligned(uint8_t* memory) {
  int64_t bytes = 0;
  std::memcpy(&bytes, memory - kHeader, sizeof bytes);
  ::operator delete (memory - kHeader, std::align_val_t{kDeviceAlignment});
  return bytes;
}

struct CopyOf {
  void* to;
  const void* from;
  int64_t bytes;
  bool is_wrong = false;
};
struct MarkOf {
  int mark;
};
using Work = std::variant<CopyOf, MarkOf, KernelCall>;

// A time that grows with the work: products of convolutions, in an arbitrary unit.
int64_t CostOf(const KernelCall& call) {
  if (const auto* conv = std::get_if<ConvCall>(&call)) {
    const ConvGeometry& g = conv->geometry;
    return g.pixels() * g.outputs * conv->planes * conv->plane_words * g.kernel * g.kernel + conv->tile_rows;
  }
  if (const auto* cutlass = std::get_if<CutlassConvCall>(&call)) {
    const ConvGeometry& g = cutlass->geometry;
    return 2 * g.pixels() * g.outputs * cutlass->in_stored * g.kernel * g.kernel;
  }
  if (const auto* winograd = std::get_if<WinogradCall>(&call)) {
    const ConvGeometry& g = winograd->geometry;
    return 16 * g.pixels() * g.outputs * g.in_channels / 4 * (winograd->tile_rows + 2) * (winograd->tile_cols + 2) /
           (winograd->tile_rows * winograd->tile_cols);
  }
  return 1;
}

void Spoil(const CutlassConvCall& call) {
  auto* codes = static_cast<uint8_t*>(call.out);
  for (int64_t i = 0; i < call.geometry.pixels() * call.geometry.out_stored; ++i) codes[i] ^= 1;
}

class HostGraph : public DeviceGraph {
 public:
  explicit HostGraph(std::vector<Work> work) : work(std::move(work)) {}
  const std::vector<Work> work;
};

}  // namespace

class HostStream : public DeviceStream {
 public:
  explicit HostStream(HostDevice& device) : device_(device) {}

  absl::Status CopyIn(void* to, const void* from, int64_t bytes) override { return Take(CopyOf{to, from, bytes}); }
  absl::Status CopyOut(void* to, const void* from, int64_t bytes) override {
    return Take(CopyOf{to, from, bytes, device_.options_.miscomputes});
  }
  absl::Status Run(const KernelCall& call) override { return Take(call); }
  absl::Status Mark(int mark) override { return Take(MarkOf{mark}); }

  absl::StatusOr<std::unique_ptr<DeviceGraph>> Record(
      absl::FunctionRef<absl::Status(DeviceStream& stream)> work) override {
    if (absl::Status status = device_.Call(true); !status.ok()) return status;
    recording_ = true;
    absl::Status status = work(*this);
    recording_ = false;
    std::vector<Work> recorded = std::exchange(recorded_, {});
    if (!status.ok()) return status;
    return std::make_unique<HostGraph>(std::move(recorded));
  }

  absl::Status RunGraph(DeviceGraph& graph) override {
    if (absl::Status status = device_.Call(false); !status.ok()) return status;
    for (const Work& work : static_cast<HostGraph&>(graph).work) Do(work);
    return absl::OkStatus();
  }

  absl::StatusOr<std::chrono::nanoseconds> TimeBetween(int first, int second) override {
    if (absl::Status status = device_.Call(false); !status.ok()) return status;
    return std::chrono::nanoseconds(marks_.at(second) - marks_.at(first));
  }

  absl::Status Await() override {
    absl::Status status = device_.Call(false);
    return status.ok() ? device_.async_ : status;
  }

 private:
  absl::Status Take(Work work) {
    if (absl::Status status = device_.Call(false); !status.ok()) return status;
    if (recording_) {
      recorded_.push_back(std::move(work));
    } else {
      Do(work);
    }
    return absl::OkStatus();
  }

  // After an error of the work, none of what follows is done.
  void Do(const Work& work) {
    if (!device_.async_.ok()) return;
    if (const auto* copy = std::get_if<CopyOf>(&work)) {
      std::memcpy(copy->to, copy->from, copy->bytes);
      if (copy->is_wrong) static_cast<uint8_t*>(copy->to)[copy->bytes / 2] ^= 1;
    }
    if (const auto* mark = std::get_if<MarkOf>(&work)) marks_[mark->mark] = time_;
    if (const auto* call = std::get_if<KernelCall>(&work)) {
      RunOnHost(*call);
      const auto* cutlass = std::get_if<CutlassConvCall>(call);
      if (cutlass != nullptr && device_.options_.wrong_cutlass) Spoil(*cutlass);
      time_ += CostOf(*call);
    }
  }

  HostDevice& device_;
  bool recording_ = false;
  std::vector<Work> recorded_;
  int64_t time_ = 0;
  std::map<int, int64_t> marks_;
};

HostDevice::HostDevice(const HostDeviceOptions& options) : options_(options) {
  facts_ = {.index = 0,
            .name = "a host's emulation",
            .uuid = "GPU-host",
            .architecture = options.architecture,
            .driver = "13.0",
            .memory_bytes = options.memory_bytes};
}

void HostDevice::FailAt(int64_t call, Fault fault) {
  options_.fault_at = calls_ + call;
  options_.fault = fault;
  happened_ = false;
}

absl::Status HostDevice::Call(bool allocates) {
  const int64_t number = calls_++;
  allocations_ += allocates;
  if (!lost_.ok()) return lost_;
  if (number != options_.fault_at) return absl::OkStatus();
  if (options_.fault == Fault::kOutOfMemory && !allocates) return absl::OkStatus();
  happened_ = true;
  switch (options_.fault) {
    case Fault::kOutOfMemory: return absl::ResourceExhaustedError("out of memory");
    case Fault::kLost: return lost_ = absl::InternalError("the device is lost");
    case Fault::kAsync: async_ = absl::InternalError("an illegal memory access"); break;
    case Fault::kHang: async_ = absl::DeadlineExceededError("no end after 30 s"); break;
  }
  return absl::OkStatus();
}

absl::StatusOr<int64_t> HostDevice::FreeBytes() {
  if (absl::Status status = Call(false); !status.ok()) return status;
  return options_.memory_bytes - allocated_bytes_;
}

absl::StatusOr<uint8_t*> HostDevice::Allocate(int64_t bytes) {
  if (absl::Status status = Call(true); !status.ok()) return status;
  if (allocated_bytes_ + bytes > options_.memory_bytes) return absl::ResourceExhaustedError("out of memory");
  allocated_bytes_ += bytes;
  return AlignedGarbage(bytes);
}

void HostDevice::Free(uint8_t* memory) { allocated_bytes_ -= FreeAligned(memory); }

absl::StatusOr<uint8_t*> HostDevice::AllocateHost(int64_t bytes) {
  if (absl::Status status = Call(true); !status.ok()) return status;
  return AlignedGarbage(bytes);
}

void HostDevice::FreeHost(uint8_t* memory) { FreeAligned(memory); }

absl::StatusOr<std::unique_ptr<DeviceStream>> HostDevice::MakeStream() {
  if (absl::Status status = Call(true); !status.ok()) return status;
  return std::make_unique<HostStream>(*this);
}

}  // namespace anybit::model::cuda
