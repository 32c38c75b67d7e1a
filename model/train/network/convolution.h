// A convolution whose backward pass may round its operands to bfloat16, for processors that multiply these faster. The
// forward pass is the same bit for bit: what is trained stays what is served, and only the direction of a step is
// rounded, by up to 2^-8 of each operand and of each result.
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

// What the backward pass multiplies: upstream gradients with weights and with inputs.
enum class BackwardOperands : uint8_t {
  kFloat,
  kBFloat16,      // sums in float, results rounded to bfloat16
  kRoundedFloat,  // floats rounded to bfloat16: kBFloat16's products and, but for the order of sums, results
};

// The faster of the two that round: kBFloat16, but on processors without AVX-512 BF16 and AMX.
BackwardOperands RoundedOperands(const torch::Device& device);

// Sums [N, O, H', W'] of x [N, C, H, W] and weights [O, C / groups, k, k], all float.
torch::Tensor Convolve(const torch::Tensor& x, const torch::Tensor& weights, const ConvolutionShape& shape,
                       BackwardOperands backward);

}  // namespace anybit

#endif  // ANYBIT_MODEL_TRAIN_NETWORK_CONVOLUTION_H_
