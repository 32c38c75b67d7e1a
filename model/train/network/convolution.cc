#include "model/train/network/convolution.h"

#include <ATen/cpu/Utils.h>

#include <array>

namespace anybit {
namespace {

torch::Tensor Sums(const torch::Tensor& x, const torch::Tensor& weights, const ConvolutionShape& shape) {
  return torch::conv2d(x, weights, {}, shape.stride, shape.padding, /*dilation=*/1, shape.groups);
}

class RoundedGradients : public torch::autograd::Function<RoundedGradients> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context, const torch::Tensor& x,
                               const torch::Tensor& weights, const ConvolutionShape& shape) {
    context->save_for_backward({x, weights});
    context->saved_data["shape"] = std::vector<int64_t>{shape.stride, shape.padding, shape.groups};
    return Sums(x, weights, shape);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const torch::Tensor& x = saved[0];
    const std::vector<int64_t> shape = context->saved_data["shape"].toIntVector();
    const bool native = MultipliesBFloat16(x.device());
    const auto rounded = [native](const torch::Tensor& values) {
      const torch::Tensor narrow = values.to(torch::kBFloat16);
      return native ? narrow : narrow.to(torch::kFloat32);
    };
    const std::array<bool, 3> wanted = {context->needs_input_grad(0), context->needs_input_grad(1), false};
    const auto [of_x, of_weights, of_bias] = torch::convolution_backward(
        rounded(gradients[0]), rounded(x), rounded(saved[1]), torch::OptionalIntArrayRef(), {shape[0], shape[0]},
        {shape[1], shape[1]}, {1, 1}, /*transposed=*/false, {0, 0}, shape[2], wanted);
    const auto widened = [](const torch::Tensor& gradient) {
      return gradient.defined() ? gradient.to(torch::kBFloat16).to(torch::kFloat32) : gradient;
    };
    return {widened(of_x), widened(of_weights), torch::Tensor()};
  }
};

bool ProcessorMultipliesBFloat16() {
  const auto capabilities = at::cpu::get_cpu_capabilities();
  for (const char* name : {"avx512_bf16", "amx_bf16"}) {
    const auto found = capabilities.find(name);
    if (found != capabilities.end() && found->second.isBool() && found->second.toBool()) return true;
  }
  return false;
}

}  // namespace

torch::Tensor Convolve(const torch::Tensor& x, const torch::Tensor& weights, const ConvolutionShape& shape,
                       torch::ScalarType gradients) {
  return gradients == torch::kBFloat16 ? RoundedGradients::apply(x, weights, shape) : Sums(x, weights, shape);
}

bool MultipliesBFloat16(const torch::Device& device) {
  static const bool processor = ProcessorMultipliesBFloat16();
  return !device.is_cpu() || processor;
}

}  // namespace anybit
