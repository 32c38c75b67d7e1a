// Bilinear sampling of one frame at places that a function gives.
#ifndef ANYBIT_MODEL_DATA_SAMPLE_BILINEAR_H_
#define ANYBIT_MODEL_DATA_SAMPLE_BILINEAR_H_

#include <cmath>
#include <cstdint>
#include <utility>

#include "model/data/example_set.h"

namespace anybit::model {

// The values of a frame at `from`, and 0 outside it.
struct BlackOutside {
  const ExampleShape& shape;
  const uint8_t* from;

  double operator()(int64_t y, int64_t x, int64_t channel) const {
    if (y < 0 || y >= shape.height || x < 0 || x >= shape.width) return 0;
    return from[(y * shape.width + x) * shape.channels + channel];
  }
};

// Sets each pixel (y, x) of the frame `to` from the place source(y, x) = (y, x) of another one, whose values are
// at(y, x, channel). Pixels are points: pixel 0 is at 0.
template <typename At, typename Source>
void SampleBilinear(const ExampleShape& shape, const At& at, const Source& source, uint8_t* to) {
  for (int64_t y = 0; y < shape.height; ++y) {
    for (int64_t x = 0; x < shape.width; ++x) {
      const auto [sy, sx] = source(y, x);
      const int64_t top = static_cast<int64_t>(std::floor(sy)), left = static_cast<int64_t>(std::floor(sx));
      const double down = sy - static_cast<double>(top), right = sx - static_cast<double>(left);
      for (int64_t c = 0; c < shape.channels; ++c) {
        const double value = (1 - down) * ((1 - right) * at(top, left, c) + right * at(top, left + 1, c)) +
                             down * ((1 - right) * at(top + 1, left, c) + right * at(top + 1, left + 1, c));
        *to++ = static_cast<uint8_t>(value + 0.5);
      }
    }
  }
}

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_DATA_SAMPLE_BILINEAR_H_
