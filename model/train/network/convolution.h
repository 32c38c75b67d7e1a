// A convolution whose gradients may be computed from operands rounded to bfloat16, at twice the speed or more where the
// processor multiplies these. Its sums are floats either way, and so exact over codes: what is trained stays what is
// served, only the direction of a step is rounded (by 2^-9 of each operand).
#ifndef ANYBIT_MODEL_TRAIN_NETWORK_CONVOLUTION_H_
#define ANYBIT_MODEL_TRAIN_NETWORK_CONVOLUTION_H_

#include <torch/torch.h>

#include <cstdint>

namespace anybit {

struct ConvolutionShape {
  int64_t stride = 1;
  int64_t padding = 0;
  int64_t groups = 1;
};

// [N, O, H', W'] of x [N, C, H, W] and weights [O, C / groups, k, k]. With `gradients` = kBFloat16 the gradients of
// both are what kFloat32 gives from upstream gradients, x and weights rounded to bfloat16, each rounded to bfloat16
// again; where this processor has no such multiplications, they are emulated by slower ones of floats.
torch::Tensor Convolve(const torch::Tensor& x, const torch::Tensor& weights, const ConvolutionShape& shape,
                       torch::ScalarType gradients);

// Whether tensors of this device are multiplied as bfloat16 and not emulated.
bool MultipliesBFloat16(const torch::Device& device);

}  // namespace anybit

#endif  // ANYBIT_MODEL_TRAIN_NETWORK_CONVOLUTION_H_
