#include "model/train/network/fake_quant.h"

#include <ATen/Parallel.h>
#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "model/format/requantize.h"

namespace anybit::model::train {
namespace {

constexpr int64_t kChunkElements = 1 << 15;  // of one thread

// One pass over the memory of x in any layout; `inverse` is 1 / step.
void QuantizePass(const float* __restrict x, float* __restrict y, int64_t n, float step, float inverse, float highest,
                  float zero) {
  for (int64_t i = 0; i < n; ++i) y[i] = (RoundClamped(x[i] * inverse + zero, highest) - zero) * step;
}

constexpr int kLanes = 16;  // partial sums, so that the compiler vectorises without reassociating one sum

struct StepGradient {
  float inverse;  // 1 / step
  float highest;
  float zero;
  float margin;

  // Gradient of x into gx; adds g * d(output)/d(step) to `sum`.
  void Add(float x, float g, float& gx, float& sum) const {
    const float v = x * inverse + zero;
    // & instead of &&: a branch would keep the loop scalar, and it would be the slowest part of a training step.
    const float inside = (v > 0.0f) & (v < highest) ? v : zero;
    gx = (v > -margin) & (v < highest + margin) ? g : 0.0f;
    sum += g * (RoundClamped(v, highest) - inside);
  }
};

// The sum of Add over n elements.
float GradientPass(const float* __restrict x, const float* __restrict g, float* __restrict gx, int64_t n,
                   const StepGradient& gradient) {
  float sums[kLanes] = {};
  const int64_t whole = n / kLanes * kLanes;
  for (int64_t i = 0; i < whole; i += kLanes) {
    for (int j = 0; j < kLanes; ++j) gradient.Add(x[i + j], g[i + j], gx[i + j], sums[j]);
  }
  for (int64_t i = whole; i < n; ++i) gradient.Add(x[i], g[i], gx[i], sums[i - whole]);
  float total = 0;
  for (float sum : sums) total += sum;
  return total;
}

bool IsPlain(const torch::Tensor& x) {
  return x.device().is_cpu() && x.scalar_type() == torch::kFloat32 && x.is_non_overlapping_and_dense();
}

class ActivationQuantizer : public torch::autograd::Function<ActivationQuantizer> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context, const torch::Tensor& x,
                               const torch::Tensor& step, int64_t highest, int64_t zero, double step_scale,
                               double margin) {
    context->save_for_backward({x, step});
    context->saved_data["highest"] = highest;
    context->saved_data["zero"] = zero;
    context->saved_data["step_scale"] = step_scale;
    context->saved_data["margin"] = margin;
    const float top = static_cast<float>(highest), middle = static_cast<float>(zero);
    if (!IsPlain(x)) return ((x / step + middle).clamp(0, top).round() - middle) * step;
    torch::Tensor y = torch::empty_like(x);
    const float s = step.item<float>();
    const float* in = x.const_data_ptr<float>();
    float* out = y.mutable_data_ptr<float>();
    at::parallel_for(0, x.numel(), kChunkElements, [&](int64_t begin, int64_t end) {
      QuantizePass(in + begin, out + begin, end - begin, s, 1.0f / s, top, middle);
    });
    return y;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const torch::Tensor& x = saved[0];
    const torch::Tensor& step = saved[1];
    const int64_t highest = context->saved_data["highest"].toInt();
    const float top = static_cast<float>(highest);
    const float middle = static_cast<float>(context->saved_data["zero"].toInt());
    const double scale = context->saved_data["step_scale"].toDouble();
    const double margin = context->saved_data["margin"].toDouble();
    const torch::Tensor none;
    torch::Tensor g = gradients[0];
    if (g.strides() != x.strides()) g = torch::empty_like(x).copy_(g);
    if (!IsPlain(x) || !IsPlain(g)) {
      const torch::Tensor v = x / step + middle;
      const torch::Tensor inside = (v > 0).logical_and(v < top).to(x.dtype());
      const torch::Tensor of_step = v.clamp(0, top).round() - middle - (v - middle) * inside;
      const torch::Tensor step_gradient = (g * of_step).sum().reshape({1}) * scale;
      const torch::Tensor passed = g * (v > -margin).logical_and(v < top + margin).to(x.dtype());
      return {passed, step_gradient, none, none, none, none};
    }
    torch::Tensor gx = torch::empty_like(x);
    const StepGradient gradient{1.0f / step.item<float>(), top, middle, static_cast<float>(margin)};
    const float* in = x.const_data_ptr<float>();
    const float* upstream = g.const_data_ptr<float>();
    float* out = gx.mutable_data_ptr<float>();
    // Chunks have a fixed size and are summed in order, so that the result does not depend on the number of threads.
    const int64_t chunks = (x.numel() + kChunkElements - 1) / kChunkElements;
    std::vector<float> sums(chunks);
    at::parallel_for(0, chunks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t chunk = begin; chunk < end; ++chunk) {
        const int64_t first = chunk * kChunkElements;
        const int64_t n = std::min(kChunkElements, x.numel() - first);
        sums[chunk] = GradientPass(in + first, upstream + first, out + first, n, gradient);
      }
    });
    double total = 0;
    for (float sum : sums) total += sum;
    return {gx, torch::full_like(step, total * scale), none, none, none, none};
  }
};

}  // namespace

torch::Tensor StoreCodes(const torch::Tensor& weights, const torch::Tensor& scale) {
  return (weights.detach() / scale).round().clamp(-127, 127);
}

torch::Tensor ChildCodes(const torch::Tensor& q8, const CodeRange& range) {
  if (range.sign) return torch::where(q8 < 0, -torch::ones_like(q8), torch::ones_like(q8));
  if (range.step == 1) return q8.clamp(range.lo, range.hi);
  // The additional 0.5 does not change the floor and keeps quotients at least 1/254 away from whole numbers. A device
  // that divides by multiplying with the reciprocal then gets the same codes.
  return ((q8 + (range.step / 2 + 0.5)) / range.step).floor().clamp(range.lo, range.hi);
}

torch::Tensor QuantizeActivations(const torch::Tensor& x, const torch::Tensor& step, int highest, ActivationRule rule,
                                  double margin, int zero) {
  const double elements = static_cast<double>(x.numel());
  const double step_scale = rule == ActivationRule::kLearnedStep ? 1.0 / std::sqrt(elements * highest) : 1.0;
  return ActivationQuantizer::apply(x, step, static_cast<int64_t>(highest), static_cast<int64_t>(zero), step_scale,
                                    margin);
}

}  // namespace anybit::model::train
