// IEEE 754 half precision: a sign, 5 bits of exponent, 10 of the fraction.
#ifndef ANYBIT_MODEL_FORMAT_HALF_H_
#define ANYBIT_MODEL_FORMAT_HALF_H_

#include <bit>
#include <cmath>
#include <cstdint>

namespace anybit::model {

// The value of a half-precision number, exactly.
inline float FloatOfHalf(uint16_t bits) {
  const uint32_t sign = static_cast<uint32_t>(bits >> 15) << 31, exponent = bits >> 10 & 31, fraction = bits & 1023;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7F800000u | fraction << 13);
  const float magnitude = exponent == 0
                              ? std::ldexp(static_cast<float>(fraction), -24)
                              : std::ldexp(static_cast<float>(fraction + 1024), static_cast<int>(exponent) - 25);
  return sign != 0 ? -magnitude : magnitude;
}

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_FORMAT_HALF_H_
