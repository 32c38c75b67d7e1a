#include "model/kernels/cpu/winograd.h"

#include <algorithm>
#include <array>

#include "model/kernels/cpu/panel_size.h"

namespace anybit::model {
namespace {

// The rows of G and, of B^T, the sums of each row's positive and negative entries.
struct Transform {
  int positions;
  std::array<std::array<int, 3>, 9> g;
  std::array<int, 9> positive, negative;
};
constexpr int kMaxEntries = 81;  // of a transformed window: 9 x 9 for F(4 x 4) at stride 2

constexpr Transform kF2 = {.positions = 4,
                           .g = {{{2, 0, 0}, {1, 1, 1}, {1, -1, 1}, {0, 0, 2}}},
                           .positive = {1, 2, 1, 1},
                           .negative = {1, 0, 1, 1}};
constexpr Transform kF4 = {.positions = 6,
                           .g = {{{6, 0, 0}, {-2, -2, -2}, {-2, 2, -2}, {1, 2, 4}, {1, -2, 4}, {0, 0, 6}}},
                           .positive = {5, 2, 5, 3, 3, 5},
                           .negative = {5, 8, 5, 3, 3, 5}};
constexpr Transform kStride2F2 = {.positions = 5,
                                  .g = {{{1, 0, 0}, {1, 0, 1}, {0, 0, 1}, {0, 1, 0}, {0, 1, 0}}},
                                  .positive = {1, 1, 1, 1, 1},
                                  .negative = {1, 0, 1, 0, 0}};
constexpr Transform kStride2F4 = {
    .positions = 9,
    .g = {{{1, 0, 0}, {1, 0, 1}, {1, 0, -1}, {1, 0, 2}, {0, 0, 1}, {0, 1, 0}, {0, 1, 0}, {0, 1, 0}, {0, 1, 0}}},
    .positive = {3, 3, 3, 1, 3, 1, 1, 1, 1},
    .negative = {3, 1, 3, 1, 3, 0, 0, 0, 0}};
// No transform: each position is one row of the kernel.
constexpr Transform kIdentity = {
    .positions = 3, .g = {{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}}, .positive = {1, 1, 1}, .negative = {0, 0, 0}};

const Transform& Vertical(const WinogradShape& shape) {
  if (shape.stride == 2) return shape.out_rows == 2 ? kStride2F2 : kStride2F4;
  return shape.row_only() ? kIdentity : shape.out_rows == 2 ? kF2 : kF4;
}

const Transform& Horizontal(const WinogradShape& shape) {
  if (shape.stride == 2) return shape.out_cols == 2 ? kStride2F2 : kStride2F4;
  return shape.out_cols == 2 ? kF2 : kF4;
}

// The smallest and largest value of a transformed input.
struct Interval {
  int low, high;
};

// At (row, col), of codes 0..1.
Interval Range(const Transform& v, const Transform& h, int row, int col) {
  return {.low = -(v.positive[row] * h.negative[col] + v.negative[row] * h.positive[col]),
          .high = v.positive[row] * h.positive[col] + v.negative[row] * h.negative[col]};
}

bool IsCorner(const WinogradShape& shape, int row, int col) {
  return shape.stride == 1 && col == 1 && (shape.row_only() || row == 1);
}

// The largest and smallest result of each output.
struct Bounds {
  std::vector<int64_t> low, high;
};

Bounds BoundsOf(std::span<const int16_t> weights, int64_t outputs, int highest_input) {
  Bounds bounds{.low = std::vector<int64_t>(outputs), .high = std::vector<int64_t>(outputs)};
  const int64_t depth = static_cast<int64_t>(weights.size()) / outputs;
  for (int64_t i = 0; i < static_cast<int64_t>(weights.size()); ++i) {
    (weights[i] < 0 ? bounds.low : bounds.high)[i / depth] += int64_t{weights[i]} * highest_input;
  }
  return bounds;
}

int FactorOf(const WinogradShape& shape) {
  if (shape.stride == 2) return (shape.out_rows == 2 ? 1 : 6) * (shape.out_cols == 2 ? 1 : 6);
  return (shape.row_only() ? 1 : shape.out_rows == 2 ? 2 : 24) * (shape.out_cols == 2 ? 2 : 24);
}

// The factor that remains: without its odd part where the kernel divides by that.
int RemainingFactor(const WinogradShape& shape, bool narrow) {
  const int factor = FactorOf(shape);
  if (factor != 576 && factor != 36 && !shape.words && !narrow) return factor;
  return factor & -factor;
}

bool ResultsFit(const Bounds& bounds, int factor, bool narrow) {
  for (size_t o = 0; o < bounds.low.size(); ++o) {
    if (narrow) {
      // Half of the width of the possible results, around their middle, in 16 bits.
      if (factor * ((bounds.high[o] - bounds.low[o] + 1) / 2 + 1) >= 1 << 15) return false;
      continue;
    }
    const int64_t largest = factor * std::max(bounds.high[o], -bounds.low[o]);
    // Floats hold whole numbers to 2^24; a power of two times a number rounds like the number itself.
    const int64_t limit = (factor & (factor - 1)) == 0 ? int64_t{1} << 31 : int64_t{1} << 24;
    if (largest >= limit) return false;
  }
  return true;
}

// U of one (output, channel): [entries]; a row-only shape has the entries of each of the kernel's three rows.
void TransformWeights(const Transform& v, const Transform& h, const int16_t* w, int64_t pixel_stride, int* u) {
  int t[9][3];
  for (int i = 0; i < v.positions; ++i) {
    for (int x = 0; x < 3; ++x) {
      t[i][x] = 0;
      for (int y = 0; y < 3; ++y) t[i][x] += v.g[i][y] * w[(y * 3 + x) * pixel_stride];
    }
  }
  for (int i = 0; i < v.positions; ++i) {
    for (int j = 0; j < h.positions; ++j) {
      u[i * h.positions + j] = h.g[j][0] * t[i][0] + h.g[j][1] * t[i][1] + h.g[j][2] * t[i][2];
    }
  }
}

// VPMADDUBSW adds two products in 16 bits with saturation: no pair may reach it.
bool PairsFit(const uint8_t* block, int64_t steps, Interval v) {
  for (int64_t i = 0; i < steps * kBlockStepBytes; i += 2) {
    const int a = static_cast<int8_t>(block[i]), b = static_cast<int8_t>(block[i + 1]);
    const int positive = std::max(a, 0) + std::max(b, 0), negative = std::min(a, 0) + std::min(b, 0);
    if (v.high * positive + v.low * negative > 32767 || v.high * negative + v.low * positive < -32768) return false;
  }
  return true;
}

// A kind's transforms, and the values of one layer that bound its transformed input.
struct Packing {
  WinogradShape shape;
  const Transform& v;
  const Transform& h;
  int highest_input;

  // Entries of a transformed window; a row-only shape has 3 kernel rows x positions.
  int entries() const { return v.positions * h.positions; }
  bool IsCorner(int entry) const { return anybit::model::IsCorner(shape, entry / h.positions, entry % h.positions); }
  // The values of a transformed input at `entry`.
  Interval InputRange(int entry) const {
    const Interval unit = Range(v, h, entry / h.positions, entry % h.positions);
    return {.low = unit.low * highest_input, .high = unit.high * highest_input};
  }
};

// Sets the panel's offsets: one for all positions and one for the asymmetric corner, each the smallest that makes its
// positions unsigned. False where a position then exceeds a byte.
bool SetOffsets(const Packing& packing, WinogradPanel& panel) {
  int offset = 0, corner = 0;
  for (int i = 0; i < packing.entries(); ++i) {
    int& needed = packing.IsCorner(i) ? corner : offset;
    needed = std::max(needed, -packing.InputRange(i).low);
  }
  for (int i = 0; i < packing.entries(); ++i) {
    if (packing.InputRange(i).high + (packing.IsCorner(i) ? corner : offset) > 255) return false;
  }
  panel.offset = static_cast<uint8_t>(offset);
  panel.corner_offset = static_cast<uint8_t>(packing.shape.stride == 1 ? corner : offset);
  return true;
}

// Where an entry of U goes, and the offset of its position.
struct Place {
  int64_t block_offset;  // bytes from a block's first
  int64_t init;          // index of the position's first
  int64_t depth;         // of the entry's first channel
  int offset;
};

// Writes U and the sums that compensate for the offsets. False where a transformed weight does not fit its operand.
bool PlaceWeights(const Packing& packing, std::span<const int16_t> weights, int64_t outputs, int64_t channels,
                  int64_t stored_channels, WinogradPanel& panel) {
  const WinogradShape& shape = packing.shape;
  const int64_t position_bytes = panel.steps * kBlockStepBytes;
  Place places[kMaxEntries];
  for (int i = 0; i < packing.entries(); ++i) {
    const int row = i / packing.h.positions, col = i % packing.h.positions, position = shape.row_only() ? col : i;
    places[i] = {.block_offset = position * position_bytes,
                 .init = int64_t{position} * panel.blocks * kLanes,
                 .depth = shape.row_only() ? row * stored_channels : 0,
                 .offset = packing.IsCorner(i) ? panel.corner_offset : panel.offset};
  }
  const int step_shift = shape.words ? 1 : 2, step_mask = (1 << step_shift) - 1;  // 2 or 4 values a step
  const int limit = shape.words ? 32767 : 127;
  int u[kMaxEntries];
  for (int64_t o = 0; o < outputs; ++o) {
    uint8_t* block = panel.u.data() + o / kLanes * shape.positions() * position_bytes;
    for (int64_t c = 0; c < channels; ++c) {
      TransformWeights(packing.v, packing.h, weights.data() + o * 9 * channels + c, channels, u);
      for (int i = 0; i < packing.entries(); ++i) {
        if (u[i] < -limit - 1 || u[i] > limit) return false;
        // Rows and channels fill whole steps, so a channel's number alone gives its place within its step.
        const int64_t d = places[i].depth + c;
        const int64_t at = ((((d >> step_shift) * kLanes) + o % kLanes) << step_shift) + (c & step_mask);
        if (shape.words) {
          reinterpret_cast<int16_t*>(block + places[i].block_offset)[at] = static_cast<int16_t>(u[i]);
        } else {
          reinterpret_cast<int8_t*>(block + places[i].block_offset)[at] = static_cast<int8_t>(u[i]);
          panel.init[places[i].init + o] -= places[i].offset * u[i];
        }
      }
    }
  }
  return true;
}

// The values of V that one position's product reads: those of one entry, or of a row-only shape's three kernel rows.
Interval ProductRange(const Packing& packing, const WinogradPanel& panel, int position) {
  Interval range{.low = 0, .high = 0};
  const int rows = packing.shape.row_only() ? 3 : 1;
  for (int row = 0; row < rows; ++row) {
    const int entry = packing.shape.row_only() ? row * packing.h.positions + position : position;
    const Interval input = packing.InputRange(entry);
    const int shift = packing.IsCorner(entry) ? panel.corner_offset : panel.offset;
    range.low = row == 0 ? shift + input.low : std::min(range.low, shift + input.low);
    range.high = std::max(range.high, shift + input.high);
  }
  return range;
}

bool AllPairsFit(const Packing& packing, const WinogradPanel& panel) {
  const int positions = packing.shape.positions();
  const int64_t position_bytes = panel.steps * kBlockStepBytes;
  for (int block = 0; block < panel.blocks; ++block) {
    for (int p = 0; p < positions; ++p) {
      const uint8_t* u = panel.u.data() + (block * positions + p) * position_bytes;
      if (!PairsFit(u, panel.steps, ProductRange(packing, panel, p))) return false;
    }
  }
  return true;
}

void SetCenters(const Bounds& bounds, int factor, WinogradPanel& panel) {
  panel.centers.resize(panel.blocks * kLanes);
  panel.low_centers.resize(panel.centers.size());
  for (size_t o = 0; o < bounds.low.size(); ++o) {
    panel.centers[o] = static_cast<int32_t>(factor * ((bounds.low[o] + bounds.high[o]) / 2));
    panel.low_centers[o] = static_cast<int16_t>(panel.centers[o]);
  }
}

}  // namespace

WinogradShape ShapeOf(WinogradKind kind) {
  switch (kind) {
    case WinogradKind::kWords4x4: return {.out_rows = 4, .out_cols = 4, .words = true};
    case WinogradKind::kWords2x4: return {.out_rows = 2, .out_cols = 4, .words = true};
    case WinogradKind::kBytes1x4: return {.out_rows = 1, .out_cols = 4, .words = false};
    case WinogradKind::kBytes2x2: return {.out_rows = 2, .out_cols = 2, .words = false};
    case WinogradKind::kBytes2x4: return {.out_rows = 2, .out_cols = 4, .words = false};
    case WinogradKind::kBytes4x4: return {.out_rows = 4, .out_cols = 4, .words = false};
    case WinogradKind::kWordsStride2_4x4: return {.out_rows = 4, .out_cols = 4, .words = true, .stride = 2};
    case WinogradKind::kBytesStride2_2x2: return {.out_rows = 2, .out_cols = 2, .words = false, .stride = 2};
    case WinogradKind::kBytesStride2_4x4: return {.out_rows = 4, .out_cols = 4, .words = false, .stride = 2};
  }
  return {};
}

std::optional<WinogradPanel> PackWinograd(WinogradKind kind, bool narrow_bytes, std::span<const int16_t> weights,
                                          int64_t outputs, int64_t channels, int64_t stored_channels,
                                          int highest_input) {
  const WinogradShape shape = ShapeOf(kind);
  const Packing packing{.shape = shape, .v = Vertical(shape), .h = Horizontal(shape), .highest_input = highest_input};
  const bool narrow = narrow_bytes && !shape.words;
  const int factor = RemainingFactor(shape, narrow);
  const Bounds bounds = BoundsOf(weights, outputs, highest_input);
  if (!ResultsFit(bounds, factor, narrow)) return std::nullopt;

  WinogradPanel panel;
  panel.factor = static_cast<float>(factor);
  if (!shape.words && !SetOffsets(packing, panel)) return std::nullopt;
  panel.blocks = BlocksFor(outputs);
  panel.steps = stored_channels * shape.depth_rows() * shape.value_bytes() / kStepBytes;
  panel.u = AlignedBuffer(panel.blocks * shape.positions() * panel.steps * kBlockStepBytes);
  if (!shape.words) panel.init.resize(shape.positions() * panel.blocks * kLanes);
  if (!PlaceWeights(packing, weights, outputs, channels, stored_channels, panel)) return std::nullopt;
  if (!narrow) return panel;
  if (!AllPairsFit(packing, panel)) return std::nullopt;
  SetCenters(bounds, factor, panel);
  return panel;
}

}  // namespace anybit::model
