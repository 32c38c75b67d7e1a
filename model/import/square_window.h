// Any window of a convolution as a square one with equal padding on all sides, as layers here have it.
//
// Weights of a smaller, dilated or unequally padded window are put into a larger square one, whose other weights are 0.
// The sums are the same.
#ifndef ANYBIT_MODEL_IMPORT_SQUARE_WINDOW_H_
#define ANYBIT_MODEL_IMPORT_SQUARE_WINDOW_H_

#include <array>
#include <cstdint>
#include <optional>

#include "model/format/network_spec.h"

namespace anybit::model {

// One direction of a window: `size` weights, `dilation` apart, over `extent` places with padding before and behind.
struct WindowSide {
  int64_t extent = 0, size = 1, stride = 1, dilation = 1, before = 0, behind = 0;

  int64_t reach() const { return (size - 1) * dilation + 1; }  // places from the first to the last weight
  // Windows along the side; 0 where none fits.
  int64_t outputs() const;
};

struct SquareWindow {
  int kernel = 1, stride = 1, padding = 0;
  std::array<int, 2> first = {0, 0};  // row and column of the window's first weight in the square
};

// The smallest square window that gives the outputs of `rows` x `columns`; none where it would exceed the limits of
// proto/artifact.proto, or where the strides differ. All values are at most 2^20, sizes and strides at least 1.
std::optional<SquareWindow> FindSquareWindow(const WindowSide& rows, const WindowSide& columns);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_IMPORT_SQUARE_WINDOW_H_
