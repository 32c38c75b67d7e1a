#include "model/kernels/cpu/map_passes.h"

#include <algorithm>

namespace anybit::model {
namespace {

float HardSigmoid(float x, float alpha, float beta) { return std::min(std::max(alpha * x + beta, 0.0f), 1.0f); }

// Calls `function` for each value; it is inlined, so that the loop is vectorised.
template <class Function>
void EachValue(const FeatureMap& map, float* image, const Function& function) {
  EachRun(map, image, [&](float* values, int64_t count) {
    for (int64_t i = 0; i < count; ++i) values[i] = function(values[i]);
  });
}

}  // namespace

void LookUpCodes(const FeatureMap& map, const uint8_t* table, uint8_t* image) {
  EachRun(map, image, [&](uint8_t* codes, int64_t count) {
    for (int64_t i = 0; i < count; ++i) codes[i] = table[codes[i]];
  });
}

void ActivateFloats(const FeatureMap& map, const Activation& activation, float* image) {
  const float alpha = activation.alpha, beta = activation.beta;
  switch (activation.function) {
    case proto::Activation::CLIP:
      return EachValue(map, image, [=](float x) { return std::min(std::max(x, 0.0f), alpha); });
    case proto::Activation::HARD_SIGMOID:
      return EachValue(map, image, [=](float x) { return HardSigmoid(x, alpha, beta); });
    case proto::Activation::HARD_SWISH:
      return EachValue(map, image, [](float x) { return x * HardSigmoid(x, 1.0f / 6, 0.5f); });
    case proto::Activation::LEAKY_RELU: return EachValue(map, image, [=](float x) { return x >= 0 ? x : alpha * x; });
    default: return EachValue(map, image, [&](float x) { return Activate(activation, x); });
  }
}

void GateCodes(const GateCall& call, const uint8_t* in, uint8_t* out) {
  constexpr double kRound = 6755399441055744.0;  // as in model/format/requantize.h
  const auto channels = static_cast<int64_t>(call.factors.size());
  const double zero = call.out_zero, highest = call.highest;
  for (int64_t y = 0; y < call.in.height; ++y) {
    for (int64_t x = 0; x < call.in.width; ++x) {
      const uint8_t* from = in + call.in.at(y, x);
      uint8_t* to = out + call.out.at(y, x);
      for (int64_t c = 0; c < channels; ++c) {
        // Exact, as is the factor: 9 and 33 bits.
        const double product = static_cast<double>(from[c] - call.in_zero) * call.factors[static_cast<size_t>(c)];
        to[c] = static_cast<uint8_t>((std::min(std::max(product + zero, 0.0), highest) + kRound) - kRound);
      }
    }
  }
}

void GateFloats(const FeatureMap& from, const FeatureMap& to, const float* factors, const float* in, float* out) {
  for (int64_t y = 0; y < from.height; ++y) {
    for (int64_t x = 0; x < from.width; ++x) {
      const float* read = in + from.at(y, x);
      float* written = out + to.at(y, x);
      for (int64_t c = 0; c < from.channels; ++c) written[c] = read[c] * factors[c];
    }
  }
}

}  // namespace anybit::model
