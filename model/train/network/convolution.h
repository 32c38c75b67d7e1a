// A convolution whose backward pass may round its operands to bfloat16, which some processors multiply faster.
//
// The forward pass has the same bits, so that training still runs the served network. Rounding changes only the
// direction of a step, by up to 2^-8 of each operand and of each result.
#ifndef ANYBIT_MODEL_TRAIN_NETWORK_CONVOLUTION_H_
#define ANYBIT_MODEL_TRAIN_NETWORK_CONVOLUTION_H_

#include <torch/types.h>

#include <cstdint>

namespace anybit::model::train {

struct ConvolutionShape {
  int64_t stride = 1;
  int64_t padding = 0;
  int64_t groups = 1;
};

// The operands of the backward pass, which multiplies upstream gradients with weights and with inputs.
enum class BackwardOperands : uint8_t {
  kFloat,
  kBFloat16,      // sums in float, results rounded to bfloat16
  kRoundedFloat,  // floats rounded to bfloat16: the same products as kBFloat16; results differ by the order of sums
};

// The faster of the two rounded kinds on `device`: kRoundedFloat on processors without AVX-512 BF16 and AMX.
BackwardOperands RoundedOperands(const torch::Device& device);

// Sums [N, O, H', W'] of x [N, C, H, W] and weights [O, C / groups, k, k], all float.
torch::Tensor Convolve(const torch::Tensor& x, const torch::Tensor& weights, const ConvolutionShape& shape,
                       BackwardOperands backward);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_NETWORK_CONVOLUTION_H_
