// Exact integer Winograd convolutions: their shapes, when they are exact, and their panels.
//
// F(m x n) makes an m x n tile of a 3x3 stride-1 convolution from (m + 2) x (n + 2) inputs with one multiplication per
// input position (Winograd 1980; Lavin and Gray, CVPR 2016). Here all of it is integers: G is scaled to whole numbers,
// so the results are a whole factor times the sums, and nothing is rounded. The one idea: additions and multiplications
// are a ring homomorphism modulo 2^32 (or 2^16), so lanes may wrap in between; only the result must fit. Multiplying by
// its inverse removes the odd part of the factor; its power of two goes into the epilogue's scale.
//
// Scaled forms, rows of G: F(2): {2,0,0} {1,1,1} {1,-1,1} {0,0,2}, result times 2;
// F(4): {6,0,0} {-2,-2,-2} {-2,2,-2} {1,2,4} {1,-2,4} {0,0,6}, result times 24.
//
// At stride 2 a window's outer taps meet even inputs only and its middle tap odd ones, so a row of m outputs is F(m, 2)
// on the even inputs plus m products of the odd: 9 products for 4 outputs instead of 12, 81 for 4 x 4 instead of 144.
// Rows of G for F(2, 2): {1,0,0} {1,0,1} {0,0,1}, result unscaled; for F(4, 2), points 0, 1, -1, 2: {1,0,0} {1,0,1}
// {1,0,-1} {1,0,2} {0,0,1}, result times 6; then {0,1,0} for each odd input.
#ifndef ANYBIT_MODEL_KERNELS_CPU_WINOGRAD_H_
#define ANYBIT_MODEL_KERNELS_CPU_WINOGRAD_H_

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "model/kernels/aligned_buffer.h"
#include "model/kernels/cpu/kernel_table.h"

namespace anybit::model {

struct WinogradShape {
  int out_rows, out_cols;  // of a tile; out_rows 1: transformed along the row only
  bool words;
  int stride = 1;

  bool row_only() const { return out_rows == 1; }
  int in_rows() const { return stride == 1 ? out_rows + 2 : 2 * out_rows + 1; }
  int in_cols() const { return stride == 1 ? out_cols + 2 : 2 * out_cols + 1; }
  int positions() const { return (row_only() ? 1 : in_rows()) * in_cols(); }
  int depth_rows() const { return row_only() ? 3 : 1; }  // input rows that a position's product runs over
  int value_bytes() const { return words ? 2 : 1; }      // of V and U
};

WinogradShape ShapeOf(WinogradKind kind);

// The weights of one layer in the transform domain.
struct WinogradPanel {
  AlignedBuffer u;    // [blocks][positions][steps][kBlockStepBytes]
  int64_t steps = 0;  // of one position
  int blocks = 0;
  std::vector<int32_t> init;         // bytes: [positions][16 * blocks], compensates for the offsets; words: empty
  std::vector<int32_t> centers;      // narrow bytes: [16 * blocks], as in TileOutput; else empty
  std::vector<int16_t> low_centers;  // likewise
  uint8_t offset = 0, corner_offset = 0;
  float factor = 1;  // transform_output's results are `factor` times the sums
};

// The panel, or nullopt where `kind` is not exact for these weights: codes [outputs][3][3][channels] on activation
// codes 0..highest_input. `narrow_bytes` as in KernelTable. stored_channels: channels rounded up to kLanes.
std::optional<WinogradPanel> PackWinograd(WinogradKind kind, bool narrow_bytes, std::span<const int16_t> weights,
                                          int64_t outputs, int64_t channels, int64_t stored_channels,
                                          int highest_input);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_KERNELS_CPU_WINOGRAD_H_
