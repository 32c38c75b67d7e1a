// Types of flags that hold only values the program accepts; a wrong value is refused with the limits.
//
//   using SlotCount = WholeNumber<1, 1024>;
//   ABSL_FLAG(SlotCount, slots, 1, "batches that run at once");   // --slots takes a whole number from 1 to 1024
#ifndef ANYBIT_BASE_FLAG_TYPES_H_
#define ANYBIT_BASE_FLAG_TYPES_H_

#include <cstdint>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace anybit {

template <int64_t kMin, int64_t kMax>
struct WholeNumber {
  constexpr WholeNumber(int64_t number = kMin) : value(number) {}
  constexpr operator int64_t() const { return value; }

  int64_t value;
};

template <int64_t kMin, int64_t kMax>
bool AbslParseFlag(absl::string_view text, WholeNumber<kMin, kMax>* number, std::string* error) {
  if (absl::SimpleAtoi(text, &number->value) && number->value >= kMin && number->value <= kMax) return true;
  *error = absl::StrCat("a whole number from ", kMin, " to ", kMax);
  return false;
}

template <int64_t kMin, int64_t kMax>
std::string AbslUnparseFlag(const WholeNumber<kMin, kMax>& number) {
  return absl::StrCat(number.value);
}

template <double kMin, double kMax>
struct RealNumber {
  constexpr RealNumber(double number = kMin) : value(number) {}
  constexpr operator double() const { return value; }

  double value;
};

template <double kMin, double kMax>
bool AbslParseFlag(absl::string_view text, RealNumber<kMin, kMax>* number, std::string* error) {
  // Written so that NaN is refused.
  if (absl::SimpleAtod(text, &number->value) && number->value >= kMin && number->value <= kMax) return true;
  *error = absl::StrCat("a number from ", kMin, " to ", kMax);
  return false;
}

template <double kMin, double kMax>
std::string AbslUnparseFlag(const RealNumber<kMin, kMax>& number) {
  return absl::StrCat(number.value);
}

}  // namespace anybit

#endif  // ANYBIT_BASE_FLAG_TYPES_H_
