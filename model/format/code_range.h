// The range of codes of a layer's weights at one operating point, and their derivation from the int8 store.
//
// The child of a stored code q8 is clamp(floor((q8 + floor(step / 2)) / step), lo, hi): division by the step, rounded
// half up, held inside the limits. One bit is the sign. Only the store is kept; children are derived from it.
#ifndef ANYBIT_MODEL_FORMAT_CODE_RANGE_H_
#define ANYBIT_MODEL_FORMAT_CODE_RANGE_H_

#include <algorithm>
#include <cstdint>

#include "absl/status/status.h"
#include "model/format/bit_width.h"

namespace anybit::model {

struct CodeRange {
  int step = 1;       // 1..127, odd or a power of two
  int lo = -127;      // -128..0
  int hi = 127;       // 1..127
  bool sign = false;  // codes are -1 and +1; step is then 1, lo -1, hi 1

  friend bool operator==(const CodeRange&, const CodeRange&) = default;
};

// InvalidArgument, naming the value and its limit, if `range` breaks a limit above.
absl::Status ValidateCodeRange(const CodeRange& range);

// The range of a standard bit-width of 1..8 bits: step 2^(8-b), limits -2^(b-1) .. 2^(b-1)-1, except that 8 bits use
// -127..127, the range of the store. One bit is the sign.
CodeRange StandardRange(BitWidth bits);

// floor((q8 + floor(step / 2)) / step) for any sign: >> would do for powers of two, / rounds towards zero.
constexpr int RoundHalfUpDivide(int q8, int step) {
  const int shifted = q8 + step / 2;
  return shifted >= 0 ? shifted / step : -((-shifted + step - 1) / step);
}

// The code that `range` makes of the stored code q8 in -128..127. sign(0) is +1.
constexpr int ChildCode(int q8, const CodeRange& range) {
  if (range.sign) return q8 < 0 ? -1 : 1;
  return std::clamp(RoundHalfUpDivide(q8, range.step), range.lo, range.hi);
}

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_FORMAT_CODE_RANGE_H_
