// A rectangle of pixels.
#ifndef ANYBIT_MODEL_DATA_PIXEL_BOX_H_
#define ANYBIT_MODEL_DATA_PIXEL_BOX_H_

#include <cstdint>

#include "model/data/example_set.h"

namespace anybit::model {

struct PixelBox {
  int64_t top, left, bottom, right;  // the last two are outside

  int64_t height() const { return bottom - top; }
  int64_t width() const { return right - left; }
  int64_t pixels() const { return height() * width(); }
};

// Calls set(first value, count) for the box's part of each line of one frame, channels included.
template <typename Set>
void ForEachLine(const PixelBox& box, const ExampleShape& shape, uint8_t* frame, const Set& set) {
  for (int64_t y = box.top; y < box.bottom; ++y) {
    set(frame + (y * shape.width + box.left) * shape.channels, box.width() * shape.channels);
  }
}

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_DATA_PIXEL_BOX_H_
