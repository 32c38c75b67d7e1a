// Quantization inside training: values that the integer engine would compute, with gradients that pass straight through.
//
// Weights follow the serving contract to the last integer: the int8 store first, then the child of an operating point
// (model/quant/code_range.h). Activations are LSQ's learned step (Esser et al., "Learned Step Size Quantization", 2020).
#ifndef ANYBIT_MODEL_TRAIN_FAKE_QUANT_H_
#define ANYBIT_MODEL_TRAIN_FAKE_QUANT_H_

#include <torch/torch.h>

#include "model/quant/code_range.h"

namespace anybit {

// How the store's scale follows the weights of an output channel.
enum class StoreRange {
  kLargest,       // 127 steps reach the largest weight: nothing is clipped (first and last layer, always 8 bits)
  kTwoAndAHalfRms,  // 127 steps reach 2.5 rms: a Gaussian's best range for the few-level children
};

// Value of one store step per output channel, [O, 1, ...] like `weights` [O, ...]; > 0, no gradient.
torch::Tensor StoreScale(const torch::Tensor& weights, StoreRange range);

// The store's codes, whole floats -127..127: round(weights / scale), half to even.
torch::Tensor StoreCodes(const torch::Tensor& weights, const torch::Tensor& scale);

// The children of whole float codes `q8`, as whole floats: ChildCode of code_range.h.
torch::Tensor ChildCodes(const torch::Tensor& q8, const CodeRange& range);

// Real value of one child code per output channel, shaped like `scale`. For a sign it is the mean magnitude of the channel.
torch::Tensor ChildUnit(const torch::Tensor& weights, const torch::Tensor& scale, const CodeRange& range);

// Children times their unit, with the gradient of the identity with respect to `weights`.
torch::Tensor QuantizeWeights(const torch::Tensor& weights, StoreRange store, const CodeRange& range);

// step * (clamp(rne(x / step + zero), 0, highest) - zero), zero point `zero` (model/zero_points.h). Gradients: of x, passed
// on inside the range; of step [1], LSQ's, scaled by 1 / sqrt(elements * highest).
torch::Tensor QuantizeActivations(const torch::Tensor& x, const torch::Tensor& step, int highest, int zero = 0);

}  // namespace anybit

#endif  // ANYBIT_MODEL_TRAIN_FAKE_QUANT_H_
