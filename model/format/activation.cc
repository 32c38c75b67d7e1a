#include "model/format/activation.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "model/format/invalid.h"

namespace anybit::model {
namespace {

double Sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

// log(1 + exp(x)); exp(x) overflows for no x that is taken here.
double Softplus(double x) { return x > 40 ? x : std::log1p(std::exp(x)); }

double HardSigmoid(double x, double alpha, double beta) { return std::clamp(alpha * x + beta, 0.0, 1.0); }

double GeluByTanh(double x) {
  constexpr double kCubic = 0.044715;
  return x * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x + kCubic * x * x * x))) / 2;
}

double Value(const Activation& activation, double x) {
  const double alpha = activation.alpha;
  switch (activation.function) {
    case proto::Activation::CLIP: return std::min(std::max(x, 0.0), alpha);
    case proto::Activation::HARD_SIGMOID: return HardSigmoid(x, alpha, activation.beta);
    case proto::Activation::HARD_SWISH: return x * HardSigmoid(x, 1.0 / 6, 0.5);
    case proto::Activation::SIGMOID: return Sigmoid(x);
    case proto::Activation::SILU: return x * Sigmoid(x);
    case proto::Activation::GELU: return x * (1 + std::erf(x / std::numbers::sqrt2)) / 2;
    case proto::Activation::GELU_TANH: return GeluByTanh(x);
    case proto::Activation::LEAKY_RELU: return x >= 0 ? x : alpha * x;
    case proto::Activation::ELU: return x >= 0 ? x : alpha * std::expm1(x);
    case proto::Activation::TANH: return std::tanh(x);
    case proto::Activation::SOFTPLUS: return Softplus(x);
    case proto::Activation::MISH: return x * std::tanh(Softplus(x));
    default: return x;
  }
}

}  // namespace

bool Activation::is_non_negative() const {
  switch (function) {
    case proto::Activation::CLIP:
    case proto::Activation::HARD_SIGMOID:
    case proto::Activation::SIGMOID:
    case proto::Activation::SOFTPLUS: return true;
    default: return false;
  }
}

float Activate(const Activation& activation, float x) {
  return static_cast<float>(Value(activation, static_cast<double>(x)));
}

absl::StatusOr<Activation> ReadActivation(const proto::Activation& activation) {
  const Activation read{.function = activation.function(), .alpha = activation.alpha(), .beta = activation.beta()};
  if (read.function == proto::Activation::NONE || !proto::Activation::Function_IsValid(read.function)) {
    return Invalid("activation ", static_cast<int>(read.function), " is not known");
  }
  const bool within =
      std::fabs(read.alpha) <= kMaxActivationParameter && std::fabs(read.beta) <= kMaxActivationParameter;
  if (!within || (read.is_clip() && !(read.alpha > 0))) {
    return Invalid("activation ", proto::Activation::Function_Name(read.function), " of ", read.alpha, " and ",
                   read.beta);
  }
  return read;
}

}  // namespace anybit::model
