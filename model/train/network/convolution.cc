#include "model/train/network/convolution.h"

#include <torch/torch.h>

#include <ATen/cpu/Utils.h>

#include <array>
#include <vector>

namespace anybit::model::train {
namespace {

torch::Tensor Sums(const torch::Tensor& x, const torch::Tensor& weights, const ConvolutionShape& shape) {
  return torch::conv2d(x, weights, {}, shape.stride, shape.padding, /*dilation=*/1, shape.groups);
}

class RoundedBackward : public torch::autograd::Function<RoundedBackward> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context, const torch::Tensor& x,
                               const torch::Tensor& weights, const ConvolutionShape& shape, bool as_floats) {
    context->save_for_backward({x, weights});
    context->saved_data["shape"] = std::vector<int64_t>{shape.stride, shape.padding, shape.groups};
    context->saved_data["as_floats"] = as_floats;
    return Sums(x, weights, shape);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const std::vector<int64_t> shape = context->saved_data["shape"].toIntVector();
    const bool as_floats = context->saved_data["as_floats"].toBool();
    const auto rounded = [as_floats](const torch::Tensor& values) {
      const torch::Tensor narrow = values.to(torch::kBFloat16);
      return as_floats ? narrow.to(torch::kFloat32) : narrow;
    };
    // Gradients that are not needed are not computed: images have none.
    const std::array<bool, 3> wanted = {context->needs_input_grad(0), context->needs_input_grad(1), false};
    const auto [of_x, of_weights, of_bias] = torch::convolution_backward(
        rounded(gradients[0]), rounded(saved[0]), rounded(saved[1]), torch::OptionalIntArrayRef(), {shape[0], shape[0]},
        {shape[1], shape[1]}, {1, 1}, /*transposed=*/false, {0, 0}, shape[2], wanted);
    const auto widened = [](const torch::Tensor& gradient) {
      return gradient.defined() ? gradient.to(torch::kBFloat16).to(torch::kFloat32) : gradient;
    };
    const torch::Tensor none;
    return {widened(of_x), widened(of_weights), none, none};
  }
};

}  // namespace

BackwardOperands RoundedOperands(const torch::Device& device) {
  if (!device.is_cpu()) return BackwardOperands::kBFloat16;
  const auto capabilities = at::cpu::get_cpu_capabilities();
  for (const char* name : {"avx512_bf16", "amx_bf16"}) {
    const auto found = capabilities.find(name);
    if (found != capabilities.end() && found->second.isBool() && found->second.toBool()) {
      return BackwardOperands::kBFloat16;
    }
  }
  return BackwardOperands::kRoundedFloat;
}

torch::Tensor Convolve(const torch::Tensor& x, const torch::Tensor& weights, const ConvolutionShape& shape,
                       BackwardOperands backward) {
  if (backward == BackwardOperands::kFloat) return Sums(x, weights, shape);
  return RoundedBackward::apply(x, weights, shape, backward == BackwardOperands::kRoundedFloat);
}

}  // namespace anybit::model::train
