#include "model/format/float_input.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace anybit::model {
namespace {

// Added to a number from 0 to 255, it leaves the nearest integer, ties to even, in the lowest bits.
constexpr double kRounding = 6755399441055744.0;  // 1.5 * 2^52

struct Line {
  int64_t count = 0, step = 0;  // floats, and codes from one to the next
  float gain = 0, offset = 0;
};

// Whether all floats are finite.
bool ConvertLine(const Line& line, const char* floats, uint8_t* codes) {
  bool finite = true;
  for (int64_t i = 0; i < line.count; ++i) {
    float x;
    std::memcpy(&x, floats + i * static_cast<int64_t>(sizeof(x)), sizeof(x));
    finite &= std::isfinite(x);
    // The product of two floats is exact, so that the sum is rounded once.
    const double code = static_cast<double>(x) * line.gain + line.offset;
    const double rounded = std::min(std::max(code, 0.0), 255.0) + kRounding;
    uint64_t bits;
    std::memcpy(&bits, &rounded, sizeof(bits));
    codes[i * line.step] = static_cast<uint8_t>(bits);
  }
  return finite;
}

int64_t FirstNotFinite(absl::string_view floats) {
  for (size_t at = 0;; at += sizeof(float)) {
    float x;
    std::memcpy(&x, floats.data() + at, sizeof(x));
    if (!std::isfinite(x)) return static_cast<int64_t>(at / sizeof(float));
  }
}

}  // namespace

std::optional<int64_t> ToCodes(const FloatInput& input, absl::string_view floats, uint8_t* codes) {
  const auto channels = static_cast<int64_t>(input.gain.size());
  const size_t from = input.shape.size() - 3;
  const int64_t elements = input.shape[from] * input.shape[from + 1] * input.shape[from + 2];  // of one frame
  const int64_t pixels = elements / channels;
  const int64_t frames = static_cast<int64_t>(floats.size() / sizeof(float)) / elements;
  bool finite = true;
  for (int64_t frame = 0; frame < frames; ++frame) {
    const char* first = floats.data() + frame * elements * static_cast<int64_t>(sizeof(float));
    uint8_t* out = codes + frame * elements;
    if (input.channels_first) {
      for (int64_t c = 0; c < channels; ++c) {
        const Line line{.count = pixels, .step = channels, .gain = input.gain[c], .offset = input.offset[c]};
        finite &= ConvertLine(line, first + c * pixels * static_cast<int64_t>(sizeof(float)), out + c);
      }
      continue;
    }
    for (int64_t i = 0; i < elements; ++i) {
      const int64_t c = i % channels;
      const Line line{.count = 1, .step = 1, .gain = input.gain[c], .offset = input.offset[c]};
      finite &= ConvertLine(line, first + i * static_cast<int64_t>(sizeof(float)), out + i);
    }
  }
  if (finite) return std::nullopt;
  return FirstNotFinite(floats);
}

}  // namespace anybit::model
