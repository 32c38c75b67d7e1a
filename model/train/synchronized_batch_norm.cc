#include "model/train/synchronized_batch_norm.h"

#include <string>
#include <vector>

namespace anybit {
namespace {

// All dimensions but that of the channels.
std::vector<int64_t> AcrossChannels(const torch::Tensor& x) {
  std::vector<int64_t> dims = {0};
  for (int64_t d = 2; d < x.dim(); ++d) dims.push_back(d);
  return dims;
}

// [C] in the shape that broadcasts over x.
torch::Tensor PerChannel(const torch::Tensor& values, const torch::Tensor& x) {
  std::vector<int64_t> shape(x.dim(), 1);
  shape[1] = -1;
  return values.to(x.scalar_type()).reshape(shape);
}

void SumOverGroup(ProcessGroup& group, const torch::Tensor& tensor) {
  const absl::Status status = group.Sum({tensor});
  if (!status.ok()) throw GroupFailure(std::string(status.message()));
}

class Function : public torch::autograd::Function<Function> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context, const torch::Tensor& x,
                               const torch::Tensor& gamma, const torch::Tensor& beta, const torch::Tensor& mean,
                               const torch::Tensor& variance, double momentum, double epsilon, int64_t group) {
    const int64_t channels = x.size(1);
    const double rows = static_cast<double>(x.numel() / channels);
    // A part's moments in its own type; those of the whole in double, where E[x^2] - E[x]^2 may cancel.
    const auto [part_variance, part_mean] = torch::var_mean(x, AcrossChannels(x), /*unbiased=*/false);
    const torch::Tensor m = part_mean.to(torch::kFloat64), v = part_variance.to(torch::kFloat64);
    const torch::Tensor sums = torch::cat({m * rows, (v + m * m) * rows, torch::full({1}, rows, m.options())});
    SumOverGroup(*reinterpret_cast<ProcessGroup*>(group), sums);
    const torch::Tensor count = sums.narrow(0, 2 * channels, 1);
    const torch::Tensor batch_mean = sums.narrow(0, 0, channels) / count;
    const torch::Tensor batch_variance =
        (sums.narrow(0, channels, channels) / count - batch_mean * batch_mean).clamp_min(0);
    mean.mul_(1 - momentum).add_(batch_mean.to(mean.scalar_type()) * momentum);
    variance.mul_(1 - momentum).add_((batch_variance * count / (count - 1)).to(variance.scalar_type()) * momentum);

    const torch::Tensor inverse = (batch_variance + epsilon).rsqrt();
    context->save_for_backward({x, gamma, batch_mean, inverse, count});
    context->saved_data["group"] = group;
    const torch::Tensor scale = gamma.to(torch::kFloat64) * inverse;
    const torch::Tensor shift = beta.to(torch::kFloat64) - batch_mean * scale;
    return x * PerChannel(scale, x) + PerChannel(shift, x);
  }

  // With xh = (x - mean) * inverse: dx = gamma * inverse * (g - mean over the batch of g - xh * that of g * xh).
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const torch::Tensor &x = saved[0], &gamma = saved[1], &mean = saved[2], &inverse = saved[3], &count = saved[4];
    const torch::Tensor& g = gradients[0];
    const torch::Tensor normal = (x - PerChannel(mean, x)) * PerChannel(inverse, x);
    const torch::Tensor beta_gradient = g.sum(AcrossChannels(x)), gamma_gradient = (g * normal).sum(AcrossChannels(x));
    const torch::Tensor sums = torch::cat({beta_gradient, gamma_gradient}).to(torch::kFloat64);
    SumOverGroup(*reinterpret_cast<ProcessGroup*>(context->saved_data["group"].toInt()), sums);
    const int64_t channels = x.size(1);
    const torch::Tensor scale = gamma.to(torch::kFloat64) * inverse;
    const torch::Tensor g_mean = sums.narrow(0, 0, channels) / count,
                        gx_mean = sums.narrow(0, channels, channels) / count;
    const torch::Tensor x_gradient =
        (g - PerChannel(g_mean, x) - normal * PerChannel(gx_mean, x)) * PerChannel(scale, x);
    const torch::Tensor none;
    return {x_gradient, gamma_gradient, beta_gradient, none, none, none, none, none};
  }
};

}  // namespace

torch::Tensor SynchronizedBatchNorm(ProcessGroup& group, const torch::Tensor& x, const torch::Tensor& gamma,
                                    const torch::Tensor& beta, const torch::Tensor& mean, const torch::Tensor& variance,
                                    double momentum, double epsilon) {
  // An autograd function's arguments are tensors and numbers.
  return Function::apply(x, gamma, beta, mean, variance, momentum, epsilon, reinterpret_cast<int64_t>(&group));
}

}  // namespace anybit
