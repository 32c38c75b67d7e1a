// Sums of 32 bits as digits of 15 bits, which are words of a dot product.
#ifndef ANYBIT_MODEL_ENGINE_SUM_DIGITS_H_
#define ANYBIT_MODEL_ENGINE_SUM_DIGITS_H_

#include <cstdint>
#include <span>

namespace anybit::model {

inline constexpr int kSumDigits = 3;
inline constexpr int kDigitBits = 15;

// Writes digits[0], digits[1], ... [depth] of each; returns how many are not all zero, or 1.
inline int SplitSums(std::span<const int32_t> sums, int16_t* digits) {
  int32_t any = 0;
  for (int32_t sum : sums) any |= sum;
  int count = 1;
  while (count < kSumDigits && any >> (kDigitBits * count) != 0) ++count;
  for (int digit = 0; digit < count; ++digit) {
    for (int32_t sum : sums) *digits++ = static_cast<int16_t>(sum >> (kDigitBits * digit) & ((1 << kDigitBits) - 1));
  }
  return count;
}

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_ENGINE_SUM_DIGITS_H_
