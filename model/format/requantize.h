// The epilogue: one formula, shared by the trainer's simulation and every engine, so that they agree to the last
// integer.
//
//   y = clamp(rne(fma(float(acc), scale, bias) [+ residual code * residual_scale by a second fma]), 0, highest)
//
// float(acc) rounds to nearest even, like every conversion here. Scales are multiples of 48 (ExactScale): a kernel that
// returns acc times a power of two, 24 or 48 then rounds alike with a scale divided by that factor.
#ifndef ANYBIT_MODEL_FORMAT_REQUANTIZE_H_
#define ANYBIT_MODEL_FORMAT_REQUANTIZE_H_

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace anybit::model {

// The value before rounding; also the logit of the last layer.
inline float Dequantize(int32_t acc, float scale, float bias) { return std::fma(static_cast<float>(acc), scale, bias); }
// Of the last layer, whose sums may be longer.
inline float Dequantize(int64_t acc, float scale, float bias) { return std::fma(static_cast<float>(acc), scale, bias); }

// Rounds to nearest even and clamps to 0..highest (a whole number <= 255), as a float. Clamping first gives the same
// result, since the limits are integers, and keeps |y| < 2^22, which the addition of kRound needs. NaN cannot occur:
// artifacts with non-finite scales are refused.
inline float RoundClamped(float y, float highest) {
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it leaves no fraction bits
  return (std::min(std::max(y, 0.0f), highest) + kRound) - kRound;
}

inline uint8_t RoundToCode(float y, int highest) {
  return static_cast<uint8_t>(RoundClamped(y, static_cast<float>(highest)));
}

inline uint8_t Requantize(int32_t acc, float scale, float bias, int highest) {
  return RoundToCode(Dequantize(acc, scale, bias), highest);
}

// Of a convolution over sums.
inline uint8_t Requantize(int64_t acc, float scale, float bias, int highest) {
  return RoundToCode(Dequantize(acc, scale, bias), highest);
}

// A gate's code of the product of two codes less their zero codes.
inline uint8_t RequantizeProduct(int32_t product, float scale, int zero, int highest) {
  constexpr double kRound = 6755399441055744.0;  // 1.5 * 2^52
  // The product is exact: 17 and 24 bits. So the sum is rounded once.
  const double y = static_cast<double>(product) * static_cast<double>(scale) + zero;
  return static_cast<uint8_t>((std::min(std::max(y, 0.0), static_cast<double>(highest)) + kRound) - kRound);
}

inline uint8_t RequantizeWithResidual(int32_t acc, float scale, float bias, uint8_t residual, float residual_scale,
                                      int highest) {
  return RoundToCode(std::fma(static_cast<float>(residual), residual_scale, Dequantize(acc, scale, bias)), highest);
}

// The float nearest to `scale` that is 48 times a float of at most 21 significand bits (kernels that return 48 * acc
// then compute the same product: 21 bits of scale / 48, and two more for the factor 3 in 48). 0 where |scale| < 2^-100.
float ExactScale(double scale);

// Whether ExactScale(scale) == scale.
bool IsExactScale(float scale);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_FORMAT_REQUANTIZE_H_
