#include "model/train/network/synchronized_batch_norm.h"

#include <ATen/Parallel.h>
#include <torch/torch.h>

#include <algorithm>
#include <string>
#include <vector>

namespace anybit::model::train {
namespace {

// All dimensions except the channels.
std::vector<int64_t> AcrossChannels(const torch::Tensor& x) {
  std::vector<int64_t> dims = {0};
  for (int64_t d = 2; d < x.dim(); ++d) dims.push_back(d);
  return dims;
}

// [C] reshaped so that it broadcasts over x.
torch::Tensor PerChannel(const torch::Tensor& values, const torch::Tensor& x) {
  std::vector<int64_t> shape(x.dim(), 1);
  shape[1] = -1;
  return values.to(x.scalar_type()).reshape(shape);
}

// Mean and variance (over N) of one process's part, each [C] in double.
struct Moments {
  torch::Tensor mean, variance;
};

// Whether x, [N, C, H, W] channels last or [N, C], is stored as rows of C values. Other tensors go through LibTorch's
// operators, which read the memory about ten times.
bool IsRows(const torch::Tensor& x) {
  if (!x.device().is_cpu() || x.scalar_type() != torch::kFloat32 || x.numel() == 0) return false;
  return x.dim() == 4 ? x.is_contiguous(torch::MemoryFormat::ChannelsLast) : x.dim() == 2 && x.is_contiguous();
}

constexpr int64_t kChunkRows = 1024;  // of one thread; fixed, so that results do not depend on the number of threads
constexpr int64_t kBlockRows = 64;    // summed in float before they are added in double

// Two sums over all rows, [2][C]; add(first, n, a, b) adds the values of rows first..first+n-1 to a[C] and b[C].
template <typename Add>
torch::Tensor SumRows(int64_t rows, int64_t channels, const Add& add) {
  const int64_t chunks = (rows + kChunkRows - 1) / kChunkRows;
  std::vector<double> sums(chunks * 2 * channels);
  at::parallel_for(0, chunks, 1, [&](int64_t begin, int64_t end) {
    std::vector<float> block(2 * channels);
    for (int64_t chunk = begin; chunk < end; ++chunk) {
      double* out = sums.data() + chunk * 2 * channels;
      const int64_t last = std::min(rows, (chunk + 1) * kChunkRows);
      for (int64_t first = chunk * kChunkRows; first < last; first += kBlockRows) {
        std::fill(block.begin(), block.end(), 0.0f);
        add(first, std::min(kBlockRows, last - first), block.data(), block.data() + channels);
        for (int64_t c = 0; c < 2 * channels; ++c) out[c] += block[c];
      }
    }
  });
  torch::Tensor total = torch::zeros({2, channels}, torch::kFloat64);
  double* out = total.mutable_data_ptr<double>();
  for (int64_t i = 0; i < chunks * 2 * channels; ++i) out[i % (2 * channels)] += sums[i];
  return total;
}

Moments MomentsOf(const torch::Tensor& x) {
  if (!IsRows(x)) {
    const auto [variance, mean] = torch::var_mean(x, AcrossChannels(x), /*unbiased=*/false);
    return {mean.to(torch::kFloat64), variance.to(torch::kFloat64)};
  }
  const int64_t channels = x.size(1), rows = x.numel() / channels;
  const float* values = x.const_data_ptr<float>();
  // Sums of differences from the first row, which is about as large as the mean, so that squares do not cancel.
  const torch::Tensor sums =
      SumRows(rows, channels, [&](int64_t first, int64_t n, float* __restrict a, float* __restrict b) {
        for (int64_t row = first; row < first + n; ++row) {
          const float* __restrict in = values + row * channels;
          for (int64_t c = 0; c < channels; ++c) {
            const float d = in[c] - values[c];
            a[c] += d;
            b[c] += d * d;
          }
        }
      });
  const double count = static_cast<double>(rows);
  const torch::Tensor shift = torch::from_blob(const_cast<float*>(values), {channels}).to(torch::kFloat64);
  const torch::Tensor mean = sums[0] / count;
  return {mean + shift, (sums[1] / count - mean * mean).clamp_min(0)};
}

// x * scale + shift, per channel.
torch::Tensor Affine(const torch::Tensor& x, const torch::Tensor& scale, const torch::Tensor& shift) {
  if (!IsRows(x)) return x * PerChannel(scale, x) + PerChannel(shift, x);
  const int64_t channels = x.size(1);
  const torch::Tensor factors = scale.to(torch::kFloat32).contiguous(), terms = shift.to(torch::kFloat32).contiguous();
  torch::Tensor y = torch::empty_like(x);
  const float* in = x.const_data_ptr<float>();
  const float *factor = factors.const_data_ptr<float>(), *term = terms.const_data_ptr<float>();
  float* out = y.mutable_data_ptr<float>();
  at::parallel_for(0, x.numel() / channels, kChunkRows, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const float* __restrict from = in + row * channels;
      float* __restrict to = out + row * channels;
      for (int64_t c = 0; c < channels; ++c) to[c] = from[c] * factor[c] + term[c];
    }
  });
  return y;
}

// The sums of g and of g * (x - mean) over this part's rows, [2][C] in double.
torch::Tensor GradientSums(const torch::Tensor& x, const torch::Tensor& g, const torch::Tensor& mean) {
  if (!IsRows(x)) {
    const std::vector<int64_t> dims = AcrossChannels(x);
    return torch::stack({g.sum(dims), (g * (x - PerChannel(mean, x))).sum(dims)}).to(torch::kFloat64);
  }
  const int64_t channels = x.size(1);
  const torch::Tensor means = mean.to(torch::kFloat32).contiguous();
  const float *values = x.const_data_ptr<float>(), *upstream = g.const_data_ptr<float>();
  const float* middle = means.const_data_ptr<float>();
  return SumRows(x.numel() / channels, channels,
                 [&](int64_t first, int64_t n, float* __restrict a, float* __restrict b) {
                   for (int64_t row = first; row < first + n; ++row) {
                     const float* __restrict in = values + row * channels;
                     const float* __restrict up = upstream + row * channels;
                     for (int64_t c = 0; c < channels; ++c) {
                       a[c] += up[c];
                       b[c] += up[c] * (in[c] - middle[c]);
                     }
                   }
                 });
}

// g * scale - (x - mean) * slope - offset, per channel.
torch::Tensor InputGradient(const torch::Tensor& x, const torch::Tensor& g, const torch::Tensor& mean,
                            const torch::Tensor& scale, const torch::Tensor& slope, const torch::Tensor& offset) {
  if (!IsRows(x)) {
    return g * PerChannel(scale, x) - (x - PerChannel(mean, x)) * PerChannel(slope, x) - PerChannel(offset, x);
  }
  const int64_t channels = x.size(1);
  const torch::Tensor numbers = torch::stack({mean, scale, slope, offset}).to(torch::kFloat32).contiguous();
  torch::Tensor gx = torch::empty_like(x);
  const float *values = x.const_data_ptr<float>(), *upstream = g.const_data_ptr<float>();
  const float* m = numbers.const_data_ptr<float>();
  float* out = gx.mutable_data_ptr<float>();
  at::parallel_for(0, x.numel() / channels, kChunkRows, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const float* __restrict in = values + row * channels;
      const float* __restrict up = upstream + row * channels;
      float* __restrict to = out + row * channels;
      for (int64_t c = 0; c < channels; ++c) {
        to[c] = up[c] * m[channels + c] - (in[c] - m[c]) * m[2 * channels + c] - m[3 * channels + c];
      }
    }
  });
  return gx;
}

class Function : public torch::autograd::Function<Function> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context, const torch::Tensor& x,
                               const torch::Tensor& gamma, const torch::Tensor& beta, const torch::Tensor& mean,
                               const torch::Tensor& variance, double momentum, double epsilon, int64_t group) {
    const int64_t channels = x.size(1);
    const double rows = static_cast<double>(x.numel() / channels);
    // Sums of the parts are double, because E[x^2] - E[x]^2 may cancel.
    const auto [m, v] = MomentsOf(x);
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
    return Affine(x, scale, beta.to(torch::kFloat64) - batch_mean * scale);
  }

  // With xh = (x - mean) * inverse: dx = gamma * inverse * (g - E[g] - xh * E[g * xh]), E over the batch.
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const torch::Tensor &x = saved[0], &gamma = saved[1], &mean = saved[2], &inverse = saved[3], &count = saved[4];
    torch::Tensor g = gradients[0];
    if (g.strides() != x.strides()) g = torch::empty_like(x).copy_(g);
    const torch::Tensor own = GradientSums(x, g, mean);
    const torch::Tensor sums = own.clone();
    SumOverGroup(*reinterpret_cast<ProcessGroup*>(context->saved_data["group"].toInt()), sums);
    const torch::Tensor scale = gamma.to(torch::kFloat64) * inverse;
    const torch::Tensor x_gradient =
        InputGradient(x, g, mean, scale, scale * inverse * inverse * sums[1] / count, scale * sums[0] / count);
    const torch::Tensor none;
    return {
        x_gradient, (own[1] * inverse).to(gamma.scalar_type()), own[0].to(gamma.scalar_type()), none, none, none, none,
        none};
  }
};

}  // namespace

void SumOverGroup(ProcessGroup& group, const torch::Tensor& tensor) {
  const absl::Status status = group.Sum({tensor});
  if (!status.ok()) throw GroupFailure(std::string(status.message()));
}

torch::Tensor SynchronizedBatchNorm(ProcessGroup& group, const torch::Tensor& x, const torch::Tensor& gamma,
                                    const torch::Tensor& beta, const torch::Tensor& mean, const torch::Tensor& variance,
                                    double momentum, double epsilon) {
  // Arguments of an autograd function are tensors and numbers, so the group's address travels as a number.
  return Function::apply(x, gamma, beta, mean, variance, momentum, epsilon, reinterpret_cast<int64_t>(&group));
}

}  // namespace anybit::model::train
