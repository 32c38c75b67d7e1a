#include "model/train/processes/process_group.h"

#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include <chrono>
#include <map>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"

// NCCL's headers come with its own wheel, not with LibTorch's.
#if defined(ANYBIT_CUDA) && __has_include(<nccl.h>)
#define ANYBIT_NCCL 1
#define USE_C10D_NCCL
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#endif

namespace anybit::model::train {
namespace {

// The size from which a flat buffer is sent. A message of 16 MiB takes far longer than its start, and a copy of 16 MiB
// is small beside the parameters of a large network.
constexpr int64_t kMinBucketBytes = 16 << 20;

class StoreRendezvous : public ProcessGroup::Rendezvous {
 public:
  StoreRendezvous(c10::intrusive_ptr<c10d::TCPStore> server, c10::intrusive_ptr<c10d::Store> store)
      : server_(std::move(server)), store_(std::move(store)) {}

  int port() const override { return server_->getPort(); }
  const c10::intrusive_ptr<c10d::Store>& store() const { return store_; }

 private:
  c10::intrusive_ptr<c10d::TCPStore> server_;
  c10::intrusive_ptr<c10d::Store> store_;  // the same, perhaps behind a prefix
};

// Runs `work` and returns exceptions of c10d as Unavailable.
template <typename Work>
absl::Status Attempt(const std::string& what, Work work) {
  try {
    work();
  } catch (const c10::Error& error) {
    return absl::UnavailableError(absl::StrCat(what, ": ", error.what_without_backtrace()));
  } catch (const std::exception& error) {
    return absl::UnavailableError(absl::StrCat(what, ": ", error.what()));
  }
  return absl::OkStatus();
}

// Waits for `work`, at first without sleeping: a small all-reduce is faster than the wake-up of a sleeping thread, and
// yielding leaves the core to the transport's threads.
void Await(c10d::Work& work) {
  constexpr auto kMaxSpin = std::chrono::milliseconds(50);
  const auto start = std::chrono::steady_clock::now();
  while (!work.isCompleted() && std::chrono::steady_clock::now() - start < kMaxSpin) std::this_thread::yield();
  work.wait();
}

// Groups tensors of the same type and device into buckets, in their given order.
std::vector<std::vector<torch::Tensor>> MakeBuckets(absl::Span<const torch::Tensor> tensors) {
  std::map<std::pair<torch::ScalarType, std::string>, std::vector<torch::Tensor>> open;
  std::map<std::pair<torch::ScalarType, std::string>, int64_t> bytes;
  std::vector<std::vector<torch::Tensor>> buckets;
  for (const torch::Tensor& tensor : tensors) {
    const std::pair key(tensor.scalar_type(), tensor.device().str());
    open[key].push_back(tensor);
    bytes[key] += static_cast<int64_t>(tensor.nbytes());
    if (bytes[key] < kMinBucketBytes) continue;
    buckets.push_back(std::exchange(open[key], {}));
    bytes[key] = 0;
  }
  for (auto& [key, rest] : open) {
    if (!rest.empty()) buckets.push_back(std::move(rest));
  }
  return buckets;
}

torch::Tensor Flatten(const std::vector<torch::Tensor>& tensors) {
  std::vector<torch::Tensor> parts;
  for (const torch::Tensor& tensor : tensors) parts.push_back(tensor.detach().reshape({-1}));
  return torch::cat(parts);
}

void Unflatten(const torch::Tensor& flat, const std::vector<torch::Tensor>& tensors) {
  torch::NoGradGuard no_gradient;
  int64_t offset = 0;
  for (const torch::Tensor& tensor : tensors) {
    tensor.detach().copy_(flat.narrow(0, offset, tensor.numel()).view(tensor.sizes()));
    offset += tensor.numel();
  }
}

class BackendGroup : public ProcessGroup {
 public:
  BackendGroup(c10::intrusive_ptr<c10d::Backend> backend, c10::intrusive_ptr<c10d::Store> store)
      : store_(std::move(store)), backend_(std::move(backend)) {}

  int rank() const override { return backend_->getRank(); }
  int size() const override { return backend_->getSize(); }

  absl::Status Sum(absl::Span<const torch::Tensor> tensors) override { return Reduce(tensors, 1); }
  absl::Status Average(absl::Span<const torch::Tensor> tensors) override { return Reduce(tensors, size()); }

  absl::Status Broadcast(absl::Span<const torch::Tensor> tensors, int root) override {
    if (root < 0 || root >= size()) {
      return absl::InvalidArgumentError(absl::StrCat("root ", root, " is outside 0..", size() - 1));
    }
    return Attempt("broadcast", [&] {
      for (const auto& bucket : MakeBuckets(tensors)) {
        std::vector<torch::Tensor> flat = {Flatten(bucket)};
        c10d::BroadcastOptions options;
        options.rootRank = root;
        backend_->broadcast(flat, options)->wait();
        Unflatten(flat[0], bucket);
      }
    });
  }

  absl::Status Barrier() override {
    return Attempt("barrier", [&] { backend_->barrier()->wait(); });
  }

 private:
  absl::Status Reduce(absl::Span<const torch::Tensor> tensors, int divisor) {
    return Attempt("all-reduce", [&] {
      // All messages are sent before the first is waited for.
      std::vector<std::vector<torch::Tensor>> buckets = MakeBuckets(tensors);
      std::vector<std::vector<torch::Tensor>> flat;
      std::vector<c10::intrusive_ptr<c10d::Work>> works;
      for (const auto& bucket : buckets) flat.push_back({Flatten(bucket)});
      for (auto& buffer : flat) works.push_back(backend_->allreduce(buffer));
      for (size_t i = 0; i < works.size(); ++i) {
        Await(*works[i]);
        if (divisor != 1) flat[i][0].div_(divisor);
        Unflatten(flat[i][0], buckets[i]);
      }
    });
  }

  c10::intrusive_ptr<c10d::Store> store_;  // outlives the backend
  c10::intrusive_ptr<c10d::Backend> backend_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<ProcessGroup::Rendezvous>> ProcessGroup::Open(const Launch& launch,
                                                                             std::chrono::milliseconds timeout) {
  if (launch.rank < 0 || launch.rank >= launch.size) {
    return absl::InvalidArgumentError(absl::StrCat("rank ", launch.rank, " is outside 0..", launch.size - 1));
  }
  std::unique_ptr<Rendezvous> rendezvous;
  const std::string what = absl::StrCat("the store of the process group at ", launch.address, ":", launch.port);
  absl::Status status = Attempt(what, [&] {
    c10d::TCPStoreOptions options;
    options.port = static_cast<uint16_t>(launch.port);
    options.isServer = launch.serves_store;
    options.waitWorkers = false;  // joining waits
    options.timeout = timeout;
    auto server = c10::make_intrusive<c10d::TCPStore>(launch.address, options);
    c10::intrusive_ptr<c10d::Store> store = server;
    if (!launch.prefix.empty()) store = c10::make_intrusive<c10d::PrefixStore>(launch.prefix, store);
    rendezvous = std::make_unique<StoreRendezvous>(std::move(server), std::move(store));
  });
  if (!status.ok()) return status;
  return rendezvous;
}

absl::StatusOr<std::unique_ptr<ProcessGroup>> ProcessGroup::Join(const Launch& launch, Rendezvous& rendezvous,
                                                                 Transport transport,
                                                                 std::chrono::milliseconds timeout) {
  const c10::intrusive_ptr<c10d::Store>& store = static_cast<StoreRendezvous&>(rendezvous).store();
  std::unique_ptr<ProcessGroup> group;
  const std::string what = absl::StrCat("process ", launch.rank, " joining a group of ", launch.size);
  if (transport == Transport::kGloo) {
    absl::Status status = Attempt(what, [&] {
      auto options = c10d::ProcessGroupGloo::Options::create(timeout);
      // Local processes meet on the loopback device, whatever this machine's name resolves to.
      const bool local = launch.address == "localhost" || launch.address == "127.0.0.1";
      options->devices.push_back(local ? c10d::ProcessGroupGloo::createDeviceForHostname("127.0.0.1")
                                       : c10d::ProcessGroupGloo::createDefaultDevice());
      group = std::make_unique<BackendGroup>(
          c10::make_intrusive<c10d::ProcessGroupGloo>(store, launch.rank, launch.size, std::move(options)), store);
    });
    if (!status.ok()) return status;
    return group;
  }
#ifdef ANYBIT_NCCL
  absl::Status status = Attempt(what, [&] {
    const c10::Device device(c10::DeviceType::CUDA, static_cast<c10::DeviceIndex>(launch.local_rank));
    c10::impl::getDeviceGuardImpl(c10::DeviceType::CUDA)->setDevice(device);
    auto options = c10d::ProcessGroupNCCL::Options::create();
    options->timeout = timeout;
    group = std::make_unique<BackendGroup>(
        c10::make_intrusive<c10d::ProcessGroupNCCL>(store, launch.rank, launch.size, std::move(options)), store);
  });
  if (!status.ok()) return status;
  return group;
#else
  return absl::UnimplementedError("this binary was built without NCCL: build with --config=cuda and NCCL's headers");
#endif
}

absl::Status AverageGradients(ProcessGroup& group, absl::Span<const torch::Tensor> parameters) {
  std::vector<torch::Tensor> gradients;
  for (const torch::Tensor& parameter : parameters) {
    if (parameter.grad().defined()) gradients.push_back(parameter.grad());
  }
  if (gradients.empty()) return absl::OkStatus();
  return group.Average(gradients);
}

absl::StatusOr<torch::Tensor> MeanOverGroup(ProcessGroup* group, const torch::Tensor& value) {
  const torch::Tensor mean = value.detach().clone();
  if (group == nullptr) return mean;
  if (absl::Status status = group->Average({mean}); !status.ok()) return status;
  return mean;
}

}  // namespace anybit::model::train
