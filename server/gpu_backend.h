// The GPU engine as main sees it. A program links one of two: none (gpu_backend_absent.cc), or CUDA's
// (gpu_backend_cuda.cc, with --config=cuda).
#ifndef ANYBIT_SERVER_GPU_BACKEND_H_
#define ANYBIT_SERVER_GPU_BACKEND_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/engine/adaptive_network.h"
#include "model/format/artifact_contents.h"

namespace anybit::server {

struct GpuNetworkOptions {
  int slots = 1;
  int max_rows = 1;
  int64_t memory_budget = 0;  // bytes; 0: what is free
};

// Any thread. Outlives the networks that it loaded.
class GpuBackend {
 public:
  virtual ~GpuBackend() = default;

  // FailedPrecondition, in one line, unless GPU `index` can be used.
  virtual absl::Status Check(int index) const = 0;
  // The first that can be used; otherwise why none can.
  virtual absl::StatusOr<int> FirstUsable() const = 0;

  // The architectures that it was built for, for --version.
  virtual std::string Architectures() const = 0;

  virtual absl::StatusOr<std::unique_ptr<model::AdaptiveNetwork>> Load(model::Artifact artifact, int index,
                                                                       const GpuNetworkOptions& options) = 0;
};

// Null where the program has none.
std::unique_ptr<GpuBackend> MakeGpuBackend();

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_GPU_BACKEND_H_
