#include "model/train/fake_quant.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "model/quant/requantize.h"

namespace anybit {
namespace {

constexpr int64_t kGrain = 1 << 15;

// One pass over the memory of x, whatever its layout; `inverse` is 1 / step.
void QuantizePass(const float* x, float* y, int64_t n, float step, float inverse, float highest, float zero) {
  for (int64_t i = 0; i < n; ++i) y[i] = (RoundClamped(x[i] * inverse + zero, highest) - zero) * step;
}

// Gradient of x into gx; returns the sum over elements of g * d(output)/d(step).
float GradientPass(const float* x, const float* g, float* gx, int64_t n, float inverse, float highest, float zero) {
  constexpr int kLanes = 16;  // partial sums, so that the loop vectorises without reassociating
  float sums[kLanes] = {};
  for (int64_t i = 0; i < n; i += kLanes) {
    const int64_t lanes = std::min<int64_t>(kLanes, n - i);
    for (int64_t j = 0; j < lanes; ++j) {
      const float v = x[i + j] * inverse + zero;
      const float inside = v > 0.0f && v < highest ? 1.0f : 0.0f;
      gx[i + j] = g[i + j] * inside;
      sums[j] += g[i + j] * (RoundClamped(v, highest) - zero - (v - zero) * inside);
    }
  }
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
                               const torch::Tensor& step, int64_t highest, int64_t zero) {
    context->save_for_backward({x, step});
    context->saved_data["highest"] = highest;
    context->saved_data["zero"] = zero;
    const float top = static_cast<float>(highest), middle = static_cast<float>(zero);
    if (!IsPlain(x)) return ((x / step + middle).clamp(0, top).round() - middle) * step;
    torch::Tensor y = torch::empty_like(x);
    const float s = step.item<float>();
    const float* in = x.const_data_ptr<float>();
    float* out = y.mutable_data_ptr<float>();
    at::parallel_for(0, x.numel(), kGrain, [&](int64_t begin, int64_t end) {
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
    const auto middle = static_cast<float>(context->saved_data["zero"].toInt());
    const double scale = 1.0 / std::sqrt(static_cast<double>(x.numel()) * static_cast<double>(highest));
    torch::Tensor g = gradients[0];
    if (g.strides() != x.strides()) g = torch::empty_like(x).copy_(g);
    if (!IsPlain(x) || !IsPlain(g)) {
      const torch::Tensor v = x / step + middle;
      const torch::Tensor inside = (v > 0).logical_and(v < top).to(x.dtype());
      const torch::Tensor step_gradient = (g * (v.clamp(0, top).round() - middle - (v - middle) * inside)).sum().reshape({1}) * scale;
      return {g * inside, step_gradient, torch::Tensor(), torch::Tensor()};
    }
    torch::Tensor gx = torch::empty_like(x);
    const float inverse = 1.0f / step.item<float>();
    const float* in = x.const_data_ptr<float>();
    const float* upstream = g.const_data_ptr<float>();
    float* out = gx.mutable_data_ptr<float>();
    // Chunks of fixed size, summed in order: the result does not depend on the number of threads.
    const int64_t chunks = (x.numel() + kGrain - 1) / kGrain;
    std::vector<float> sums(chunks);
    at::parallel_for(0, chunks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t chunk = begin; chunk < end; ++chunk) {
        const int64_t first = chunk * kGrain;
        const int64_t n = std::min(kGrain, x.numel() - first);
        sums[chunk] = GradientPass(in + first, upstream + first, out + first, n, inverse, top, middle);
      }
    });
    double total = 0;
    for (float sum : sums) total += sum;
    return {gx, torch::full_like(step, total * scale), torch::Tensor(), torch::Tensor()};
  }
};

// All dimensions but the first.
std::vector<int64_t> WithinChannel(const torch::Tensor& values) {
  std::vector<int64_t> dims;
  for (int64_t d = 1; d < values.dim(); ++d) dims.push_back(d);
  return dims;
}

// Mean over them, kept.
torch::Tensor ChannelMean(const torch::Tensor& values) { return values.mean(WithinChannel(values), /*keepdim=*/true); }

}  // namespace

torch::Tensor StoreScale(const torch::Tensor& weights, StoreRange range) {
  const torch::Tensor w = weights.detach();
  const torch::Tensor reach = range == StoreRange::kLargest ? w.abs().amax(WithinChannel(w), /*keepdim=*/true)
                                                            : 2.5 * ChannelMean(w * w).sqrt();
  return (reach / 127.0).clamp_min(1e-8);
}

torch::Tensor StoreCodes(const torch::Tensor& weights, const torch::Tensor& scale) {
  return (weights.detach() / scale).round().clamp(-127, 127);
}

torch::Tensor ChildCodes(const torch::Tensor& q8, const CodeRange& range) {
  if (range.sign) return torch::where(q8 < 0, -torch::ones_like(q8), torch::ones_like(q8));
  if (range.step == 1) return q8.clamp(range.lo, range.hi);
  // Half a unit more leaves the floor as it is and keeps quotients 1/254 away from whole numbers: a device that divides by
  // multiplying with the reciprocal gets the same codes.
  return ((q8 + (range.step / 2 + 0.5)) / range.step).floor().clamp(range.lo, range.hi);
}

torch::Tensor ChildUnit(const torch::Tensor& weights, const torch::Tensor& scale, const CodeRange& range) {
  if (range.sign) return ChannelMean(weights.detach().abs()).clamp_min(1e-8);
  return scale * range.step;
}

torch::Tensor QuantizeWeights(const torch::Tensor& weights, StoreRange store, const CodeRange& range) {
  const torch::Tensor scale = StoreScale(weights, store);
  const torch::Tensor value =
      ChildCodes(StoreCodes(weights, scale), range) * ChildUnit(weights, scale, range);
  return weights + (value - weights.detach());
}

torch::Tensor QuantizeActivations(const torch::Tensor& x, const torch::Tensor& step, int highest, int zero) {
  return ActivationQuantizer::apply(x, step, static_cast<int64_t>(highest), static_cast<int64_t>(zero));
}

}  // namespace anybit
