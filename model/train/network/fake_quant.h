// Quantization in training: the values of the integer engine, with straight-through gradients.
//
// Weights follow the serving contract to the last integer: the int8 store first, then the child of an operating point
// (model/format/code_range.h). Activations follow LSQ (Esser et al., "Learned Step Size Quantization", 2020) or PACT
// (Choi et al., 2018, with the gradient of AdaBits).
#ifndef ANYBIT_MODEL_TRAIN_NETWORK_FAKE_QUANT_H_
#define ANYBIT_MODEL_TRAIN_NETWORK_FAKE_QUANT_H_

#include <torch/types.h>

#include "model/format/code_range.h"
#include "model/train/recipe/recipe.h"

namespace anybit::model::train {

// The store's codes as whole floats -127..127: round(weights / scale), half to even. `scale` broadcasts.
torch::Tensor StoreCodes(const torch::Tensor& weights, const torch::Tensor& scale);

// The children (ChildCode of code_range.h) of the codes `q8`, as whole floats.
torch::Tensor ChildCodes(const torch::Tensor& q8, const CodeRange& range);

// Quantized activations: step * (clamp(rne(v), 0, highest) - zero) of v = x / step + zero, with the zero point `zero`
// (model/format/zero_points.h).
// - The gradient of x passes where v is within `margin` of 0..highest.
// - The gradient of step [1] is round(v) - v inside the range, highest - zero above it and -zero below it.
//   For LSQ it is scaled by 1 / sqrt(elements * highest).
//   For PACT it is not scaled: with alpha = highest * step it is AdaBits' q(x / alpha) - x / alpha inside and 1 above.
torch::Tensor QuantizeActivations(const torch::Tensor& x, const torch::Tensor& step, int highest,
                                  ActivationRule rule = ActivationRule::kLearnedStep, double margin = 0, int zero = 0);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_NETWORK_FAKE_QUANT_H_
