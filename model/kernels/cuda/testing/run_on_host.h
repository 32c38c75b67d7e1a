// Runs a launch of the GPU engine on the host: the kernels' own bodies against an emulated block.
#ifndef ANYBIT_MODEL_KERNELS_CUDA_TESTING_RUN_ON_HOST_H_
#define ANYBIT_MODEL_KERNELS_CUDA_TESTING_RUN_ON_HOST_H_

#include "model/kernels/cuda/calls.h"
#include "model/kernels/cuda/testing/host_block.h"

namespace anybit::model::cuda {

// The call's pointers are of host memory.
void RunOnHost(const KernelCall& call, Schedule schedule = Schedule::kForwardsLateCopies);

}  // namespace anybit::model::cuda

#endif  // ANYBIT_MODEL_KERNELS_CUDA_TESTING_RUN_ON_HOST_H_
