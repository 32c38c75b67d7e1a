#include "model/format/code_range.h"

#include "absl/strings/str_cat.h"

namespace anybit::model {

absl::Status ValidateCodeRange(const CodeRange& range) {
  if (range.sign) {
    if (range.step == 1 && range.lo == -1 && range.hi == 1) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat("a sign range has step 1 and limits -1..1, got step ", range.step,
                                                   " and limits ", range.lo, "..", range.hi));
  }
  if (range.step < 1 || range.step > 127) {
    return absl::InvalidArgumentError(absl::StrCat("weight step ", range.step, " is outside 1..127"));
  }
  const bool odd = range.step % 2 == 1;
  const bool power_of_two = (range.step & (range.step - 1)) == 0;
  if (!odd && !power_of_two) {
    return absl::InvalidArgumentError(absl::StrCat("weight step ", range.step, " is neither odd nor a power of two"));
  }
  if (range.lo < -128 || range.lo > 0) {
    return absl::InvalidArgumentError(absl::StrCat("lowest weight code ", range.lo, " is outside -128..0"));
  }
  if (range.hi < 1 || range.hi > 127) {
    return absl::InvalidArgumentError(absl::StrCat("highest weight code ", range.hi, " is outside 1..127"));
  }
  return absl::OkStatus();
}

CodeRange StandardRange(BitWidth bits) {
  const int b = std::min(bits.bits(), 8);
  if (b == 1) return {.step = 1, .lo = -1, .hi = 1, .sign = true};
  if (b == 8) return {.step = 1, .lo = -127, .hi = 127};
  return {.step = 1 << (8 - b), .lo = -(1 << (b - 1)), .hi = (1 << (b - 1)) - 1};
}

}  // namespace anybit::model
