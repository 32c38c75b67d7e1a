#include "model/format/requantize.h"

namespace anybit::model {
namespace {

// `value` rounded to nearest even at `bits` significand bits.
double RoundSignificand(double value, int bits) {
  if (value == 0) return 0;
  int exponent = 0;
  const double fraction = std::frexp(value, &exponent);  // in [0.5, 1)
  return std::ldexp(std::nearbyint(std::ldexp(fraction, bits)), exponent - bits);
}

}  // namespace

// Far above the subnormal floats: a scale divided by a kernel's factor keeps all of its bits.
constexpr double kMinScale = 0x1p-100;

float ExactScale(double scale) {
  if (std::abs(scale) < kMinScale) return 0;
  return static_cast<float>(48.0 * RoundSignificand(scale / 48.0, 21));
}

bool IsExactScale(float scale) { return ExactScale(scale) == scale; }

}  // namespace anybit::model
