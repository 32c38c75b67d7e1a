// Bits of a weight or an activation: 1 to 8, or at full precision 16 (bfloat16) or 32. No other value can exist.
#ifndef ANYBIT_MODEL_FORMAT_BIT_WIDTH_H_
#define ANYBIT_MODEL_FORMAT_BIT_WIDTH_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

namespace anybit::model {

class BitWidth {
 public:
  // InvalidArgument unless bits is 1..8, 16 or 32.
  static absl::StatusOr<BitWidth> FromBits(int bits) {
    if ((bits >= 1 && bits <= 8) || bits == 16 || bits == 32) return BitWidth(bits);
    return absl::InvalidArgumentError(absl::StrCat("bit-width ", bits, " is not one of 1..8, 16 or 32"));
  }

  constexpr int bits() const { return bits_; }
  constexpr bool is_full_precision() const { return bits_ >= 16; }
  friend constexpr auto operator<=>(BitWidth, BitWidth) = default;

 private:
  explicit constexpr BitWidth(int bits) : bits_(bits) {}
  int bits_;
};

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_FORMAT_BIT_WIDTH_H_
