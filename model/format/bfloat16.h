// bfloat16: the upper half of a 32-bit float, with 8 significant bits.
//
// An operating point of 16 bits computes with such numbers (docs/formats.md): every weight, and every value that a
// layer gives to the next, is rounded to the nearest, ties to even. A product of two is exact as a float; sums, scales
// and biases are floats.
#ifndef ANYBIT_MODEL_FORMAT_BFLOAT16_H_
#define ANYBIT_MODEL_FORMAT_BFLOAT16_H_

#include <cstdint>
#include <cstring>

namespace anybit::model {

inline constexpr int kBfloat16Bits = 16;

// The upper half of the nearest bfloat16 number. `value` is finite; beyond the largest it becomes infinite, as floats
// do.
inline uint16_t NearestBfloat16(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

inline float WidenBfloat16(uint16_t half) {
  const uint32_t bits = uint32_t{half} << 16;
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

inline float RoundToBfloat16(float value) { return WidenBfloat16(NearestBfloat16(value)); }

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_FORMAT_BFLOAT16_H_
