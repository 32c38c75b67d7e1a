// Quantization inside training: values that the integer engine would compute, with gradients that pass straight
// through.
//
// Weights follow the serving contract to the last integer: the int8 store first, then the child of an operating point
// (model/format/code_range.h). Activations follow LSQ (Esser et al., "Learned Step Size Quantization", 2020) or PACT
// (Choi et al., 2018, with the gradient of AdaBits).
#ifndef ANYBIT_MODEL_TRAIN_NETWORK_FAKE_QUANT_H_
#define ANYBIT_MODEL_TRAIN_NETWORK_FAKE_QUANT_H_

#include <torch/torch.h>

#include "model/format/code_range.h"
#include "model/train/recipe/recipe.h"

namespace anybit {

// The store's codes, whole floats -127..127: round(weights / scale), half to even; `scale` broadcasts.
torch::Tensor StoreCodes(const torch::Tensor& weights, const torch::Tensor& scale);

// The children of whole float codes `q8`, as whole floats: ChildCode of code_range.h.
torch::Tensor ChildCodes(const torch::Tensor& q8, const CodeRange& range);

// step * (clamp(rne(v), 0, highest) - zero) of v = x / step + zero, zero point `zero` (model/format/zero_points.h).
// Gradient of x: passed on where v is within `margin` of 0..highest. Gradient of step [1]: round(v) - v inside, highest
// - zero above, -zero below; scaled by 1 / sqrt(elements * highest) for LSQ, and left as it is for PACT, whose alpha =
// highest
// * step makes of it AdaBits' q(x / alpha) - x / alpha inside and 1 above.
torch::Tensor QuantizeActivations(const torch::Tensor& x, const torch::Tensor& step, int highest,
                                  ActivationRule rule = ActivationRule::kLearnedStep, double margin = 0, int zero = 0);

}  // namespace anybit

#endif  // ANYBIT_MODEL_TRAIN_NETWORK_FAKE_QUANT_H_
