// The launches of one convolution with one algorithm: those that derive its panel, and those that run it.
#ifndef ANYBIT_MODEL_KERNELS_CUDA_CONV_PLAN_H_
#define ANYBIT_MODEL_KERNELS_CUDA_CONV_PLAN_H_

#include <cstdint>
#include <vector>

#include "model/kernels/cuda/algorithm.h"
#include "model/kernels/cuda/calls.h"

namespace anybit::model::cuda {

// Parts of one allocation begin at multiples of this.
inline constexpr int64_t kDeviceAlignment = 256;

// Bytes of the panel, and of the workspace that `images` images need.
int64_t PanelBytes(int architecture, Algorithm algorithm, const ConvProblem& problem);
int64_t WorkspaceBytes(int architecture, Algorithm algorithm, const ConvProblem& problem, int64_t images);

// `store` holds the layer's int8 codes, `full` its floats (for the algorithms of full precision).
std::vector<KernelCall> PanelCalls(int architecture, Algorithm algorithm, const ConvProblem& problem,
                                   const int8_t* store, const float* full, uint8_t* panel);

struct ConvOperands {
  const void* in = nullptr;
  const uint8_t* panel = nullptr;
  const float* full = nullptr;  // depthwise at full precision reads the store's floats
  Epilogue epilogue;
  uint8_t* workspace = nullptr;
  void* out = nullptr;
};
std::vector<KernelCall> ConvCalls(int architecture, Algorithm algorithm, const ConvProblem& problem, int64_t images,
                                  const ConvOperands& operands);

}  // namespace anybit::model::cuda

#endif  // ANYBIT_MODEL_KERNELS_CUDA_CONV_PLAN_H_
