#include "model/import/square_window.h"

namespace anybit::model {
namespace {

constexpr int kMaxKernel = 7, kMaxStride = 4;

// The place in a square of `kernel` rows with `padding` at which the window's first weight gives the same sums; -1:
// there is none. It moves by `stride`: of a single window any will do.
int FirstIn(const WindowSide& side, int64_t stride, int kernel, int padding) {
  const int64_t first = padding - side.before, span = side.extent + 2 * padding - kernel;
  if (first < 0 || first + side.reach() > kernel || span < 0) return -1;
  return span / stride + 1 == side.outputs() ? static_cast<int>(first) : -1;
}

}  // namespace

int64_t WindowSide::outputs() const {
  const int64_t span = extent + before + behind - reach();
  return span < 0 ? 0 : span / stride + 1;
}

std::optional<SquareWindow> FindSquareWindow(const WindowSide& rows, const WindowSide& columns) {
  const bool single_row = rows.outputs() == 1, single_column = columns.outputs() == 1;
  if (rows.stride != columns.stride && !single_row && !single_column) return std::nullopt;
  const int64_t stride = single_row ? columns.stride : rows.stride;
  if (stride > kMaxStride) return std::nullopt;
  for (int kernel = 1; kernel <= kMaxKernel; ++kernel) {
    for (int padding = 0; padding < kernel; ++padding) {
      const int row = FirstIn(rows, stride, kernel, padding);
      const int column = FirstIn(columns, stride, kernel, padding);
      if (row < 0 || column < 0) continue;
      return SquareWindow{
          .kernel = kernel, .stride = static_cast<int>(stride), .padding = padding, .first = {row, column}};
    }
  }
  return std::nullopt;
}

}  // namespace anybit::model
