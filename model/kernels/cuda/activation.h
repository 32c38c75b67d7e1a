// The functions of model/format/activation.h as kernels compute them.
#ifndef ANYBIT_MODEL_KERNELS_CUDA_ACTIVATION_H_
#define ANYBIT_MODEL_KERNELS_CUDA_ACTIVATION_H_

#include <cmath>

#include "model/kernels/cuda/calls.h"
#include "model/kernels/cuda/portable.h"

namespace anybit::model::cuda {

ANYBIT_KERNEL double SigmoidOf(double x) { return 1 / (1 + exp(-x)); }
ANYBIT_KERNEL double SoftplusOf(double x) { return x > 40 ? x : log1p(exp(x)); }
ANYBIT_KERNEL double HardSigmoidOf(double x, double alpha, double beta) {
  const double y = alpha * x + beta;
  return y < 0 ? 0 : y > 1 ? 1 : y;
}

// In double precision, rounded once: the float of any other order of these operations, or its neighbour.
ANYBIT_KERNEL float Activated(PointwiseFunction function, float alpha, float beta, float value) {
  constexpr double kSqrtHalf = 0.70710678118654752440, kSqrtTwoOverPi = 0.79788456080286535588;
  const double x = value, a = alpha;
  double y = x;
  switch (function) {
    case PointwiseFunction::kClip: y = x < 0 ? 0 : x > a ? a : x; break;
    case PointwiseFunction::kHardSigmoid: y = HardSigmoidOf(x, a, beta); break;
    case PointwiseFunction::kHardSwish: y = x * HardSigmoidOf(x, 1.0 / 6, 0.5); break;
    case PointwiseFunction::kSigmoid: y = SigmoidOf(x); break;
    case PointwiseFunction::kSilu: y = x * SigmoidOf(x); break;
    case PointwiseFunction::kGelu: y = x * (1 + erf(x * kSqrtHalf)) / 2; break;
    case PointwiseFunction::kGeluTanh: y = x * (1 + tanh(kSqrtTwoOverPi * (x + 0.044715 * x * x * x))) / 2; break;
    case PointwiseFunction::kLeakyRelu: y = x >= 0 ? x : a * x; break;
    case PointwiseFunction::kElu: y = x >= 0 ? x : a * expm1(x); break;
    case PointwiseFunction::kTanh: y = tanh(x); break;
    case PointwiseFunction::kSoftplus: y = SoftplusOf(x); break;
    case PointwiseFunction::kMish: y = x * tanh(SoftplusOf(x)); break;
  }
  return static_cast<float>(y);
}

}  // namespace anybit::model::cuda

#endif  // ANYBIT_MODEL_KERNELS_CUDA_ACTIVATION_H_
