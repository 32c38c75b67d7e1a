// Types of flags that hold only values the program accepts; a wrong value is refused with the limits.
//
//   using SlotCount = WholeNumber<1, 1024>;
//   ABSL_FLAG(SlotCount, slots, 1, "batches that run at once");   // --slots takes a whole number from 1 to 1024
#ifndef ANYBIT_BASE_FLAG_TYPES_H_
#define ANYBIT_BASE_FLAG_TYPES_H_

#include <cstdint>
#include <ratio>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace anybit {

template <int64_t kMin, int64_t kMax>
struct WholeNumber {
  // Implicit, so that a flag reads like the number that it is.
  constexpr WholeNumber(int64_t number = kMin) : value(number) {}  // NOLINT(google-explicit-constructor)
  constexpr operator int64_t() const { return value; }             // NOLINT(google-explicit-constructor)

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

// A number from Min to Max, which are std::ratio: clang 14 takes no double as a template argument.
template <typename Min, typename Max>
struct RealNumber {
  static constexpr double kMin = static_cast<double>(Min::num) / Min::den;
  static constexpr double kMax = static_cast<double>(Max::num) / Max::den;

  // Implicit for the same reason.
  constexpr RealNumber(double number = kMin) : value(number) {}  // NOLINT(google-explicit-constructor)
  constexpr operator double() const { return value; }            // NOLINT(google-explicit-constructor)

  double value;
};

template <typename Min, typename Max>
bool AbslParseFlag(absl::string_view text, RealNumber<Min, Max>* number, std::string* error) {
  // Written so that NaN is refused.
  if (absl::SimpleAtod(text, &number->value) && number->value >= number->kMin && number->value <= number->kMax) {
    return true;
  }
  *error = absl::StrCat("a number from ", number->kMin, " to ", number->kMax);
  return false;
}

template <typename Min, typename Max>
std::string AbslUnparseFlag(const RealNumber<Min, Max>& number) {
  return absl::StrCat(number.value);
}

}  // namespace anybit

#endif  // ANYBIT_BASE_FLAG_TYPES_H_
