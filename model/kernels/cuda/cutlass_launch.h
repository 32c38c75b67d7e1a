// Puts the launch of a convolution by CUTLASS into a stream; launch.h calls it.
#ifndef ANYBIT_MODEL_KERNELS_CUDA_CUTLASS_LAUNCH_H_
#define ANYBIT_MODEL_KERNELS_CUDA_CUTLASS_LAUNCH_H_

#include "model/kernels/cuda/calls.h"

namespace anybit::model::cuda {

// As Launch.
int LaunchCutlass(const CutlassConvCall& call, void* stream);

}  // namespace anybit::model::cuda

#endif  // ANYBIT_MODEL_KERNELS_CUDA_CUTLASS_LAUNCH_H_
