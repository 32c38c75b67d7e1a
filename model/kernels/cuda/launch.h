// Puts the launch of a call into a stream. No global state, no allocation.
#ifndef ANYBIT_MODEL_KERNELS_CUDA_LAUNCH_H_
#define ANYBIT_MODEL_KERNELS_CUDA_LAUNCH_H_

#include <span>

#include "model/kernels/cuda/calls.h"

namespace anybit::model::cuda {

// `stream` is a cudaStream_t. Returns a cudaError_t: of the launch, not of the kernel, which runs later.
int Launch(const KernelCall& call, void* stream);

// The architectures that kernels were compiled for, as 10 * major + minor, in ascending order, with `exact` where the
// code uses instructions of that architecture alone ("sm_90a").
struct CompiledArchitecture {
  int architecture;
  bool exact;
};
std::span<const CompiledArchitecture> CompiledArchitectures();

}  // namespace anybit::model::cuda

#endif  // ANYBIT_MODEL_KERNELS_CUDA_LAUNCH_H_
