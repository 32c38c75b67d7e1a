// Kernels with one thread for each item: depthwise layers, pools, copies, and the derivation of panels.
//
// RunItem(call, item) computes item 0 <= item < Items(call); items do not depend on each other.
#ifndef ANYBIT_MODEL_KERNELS_CUDA_ITEM_BODIES_H_
#define ANYBIT_MODEL_KERNELS_CUDA_ITEM_BODIES_H_

#include "model/kernels/cuda/calls.h"
#include "model/kernels/cuda/epilogue.h"
#include "model/kernels/cuda/portable.h"
#include "model/kernels/cuda/winograd_transform.h"

namespace anybit::model::cuda {

// A pixel of a map, and the corner of the window that it reads.
struct PixelPlace {
  int64_t image;
  int y, x;
};
ANYBIT_KERNEL PixelPlace PixelAt(const ConvGeometry& g, int64_t pixel) {
  const int64_t image = pixel / (g.out_height * g.out_width);
  const int in_image = static_cast<int>(pixel - image * g.out_height * g.out_width);
  return {image, in_image / g.out_width * g.stride - g.padding, in_image % g.out_width * g.stride - g.padding};
}

// Calls visit(tap, pixel index) for each tap of a window within the image.
template <class Visit>
ANYBIT_KERNEL void VisitWindow(const ConvGeometry& g, const PixelPlace& place, const Visit& visit) {
  for (int tap_y = 0; tap_y < g.kernel; ++tap_y) {
    const int y = place.y + tap_y;
    if (y < 0 || y >= g.in_height) continue;
    for (int tap_x = 0; tap_x < g.kernel; ++tap_x) {
      const int x = place.x + tap_x;
      if (x < 0 || x >= g.in_width) continue;
      visit(tap_y * g.kernel + tap_x, (place.image * g.in_height + y) * g.in_width + x);
    }
  }
}

// An item: four channels of a pixel, or of floats one.
ANYBIT_KERNEL int64_t Items(const DepthwiseCall& call) {
  const ConvGeometry& g = call.geometry;
  return g.images * g.out_height * g.out_width * (g.out_stored / (call.floats ? 1 : 4));
}
ANYBIT_KERNEL void RunItem(const DepthwiseCall& call, int64_t item) {
  const ConvGeometry& g = call.geometry;
  const int words = g.out_stored / (call.floats ? 1 : 4), word = static_cast<int>(item % words);
  const int64_t pixel = item / words;
  if (call.floats) {
    float sum = 0;
    if (word < g.outputs) {
      VisitWindow(g, PixelAt(g, pixel), [&](int tap, int64_t from) {
        const float weight = call.float_weights[word * g.kernel * g.kernel + tap];
        sum = FusedMultiplyAdd(FloatOf(call.in[from * words + word]), RoundedIf(call.epilogue.bfloat16, weight), sum);
      });
    }
    static_cast<float*>(call.out)[item] = FloatValue(sum, call.epilogue, pixel, word, g.outputs);
    return;
  }
  int32_t sums[4] = {0, 0, 0, 0};
  VisitWindow(g, PixelAt(g, pixel), [&](int tap, int64_t from) {
    const uint32_t codes = call.in[from * words + word];
    const int8_t* weights = call.weights + int64_t{tap} * g.out_stored + word * 4;
    ANYBIT_UNROLL for (int i = 0; i < 4; ++i) sums[i] += static_cast<int>(codes >> (8 * i) & 255) * weights[i];
  });
  uint32_t codes = 0;
  ANYBIT_UNROLL for (int i = 0; i < 4; ++i) {
    codes |= uint32_t{CodeOf(sums[i], call.epilogue, pixel, word * 4 + i, g.outputs)} << (8 * i);
  }
  static_cast<uint32_t*>(call.out)[item] = codes;
}

ANYBIT_KERNEL int64_t Items(const MaxPoolCall& call) {
  const ConvGeometry& g = call.geometry;
  return g.images * g.out_height * g.out_width * (g.out_stored / (call.floats ? 1 : 4));
}
ANYBIT_KERNEL void RunItem(const MaxPoolCall& call, int64_t item) {
  const ConvGeometry& g = call.geometry;
  const int words = g.out_stored / (call.floats ? 1 : 4), word = static_cast<int>(item % words);
  // A window has a pixel within the image. No code is below 0.
  constexpr float kLowest = -3.402823466e38f;
  uint32_t greatest = call.floats ? BitsOf(kLowest) : 0;
  VisitWindow(g, PixelAt(g, item / words), [&](int, int64_t from) {
    const uint32_t value = call.in[from * words + word];
    if (call.floats) {
      if (FloatOf(value) > FloatOf(greatest)) greatest = value;
    } else {
      greatest = MaxOfBytes(greatest, value);
    }
  });
  call.out[item] = greatest;
}

ANYBIT_KERNEL int64_t Items(const CopyInputCall& call) { return call.pixels * call.stored; }
ANYBIT_KERNEL void RunItem(const CopyInputCall& call, int64_t item) {
  const int64_t pixel = item / call.stored;
  const int channel = static_cast<int>(item % call.stored);
  const uint8_t code = channel < call.channels ? call.in[pixel * call.channels + channel] : uint8_t{0};
  if (call.floats) {
    static_cast<float*>(call.out)[item] = code;
  } else {
    static_cast<uint8_t*>(call.out)[item] = code;
  }
}

ANYBIT_KERNEL int CodesPerWord(Operand operand) {
  switch (operand) {
    case Operand::kBytes: return 4;
    case Operand::kNibbles: return 8;
    case Operand::kBitsAnd:
    case Operand::kBitsXor: return 32;
    case Operand::kFloats: return 1;
    case Operand::kBfloat16: return 2;
  }
  return 1;
}

ANYBIT_KERNEL int64_t Items(const PackCall& call) { return call.pixels * call.planes * call.plane_words; }
ANYBIT_KERNEL void RunItem(const PackCall& call, int64_t item) {
  const int word = static_cast<int>(item % call.plane_words);
  const int64_t pixel_plane = item / call.plane_words;
  const int per_word = CodesPerWord(call.operand), bits = 32 / per_word;
  const int plane = static_cast<int>(pixel_plane % call.planes);
  const int64_t first = pixel_plane / call.planes * call.stored + word * per_word;
  uint32_t packed = 0;
  for (int i = 0; i < per_word && word * per_word + i < call.stored; ++i) {
    if (call.operand == Operand::kBfloat16) {
      packed |= Bfloat16Of(static_cast<const float*>(call.in)[first + i]) << (bits * i);
    } else {
      packed |= (static_cast<const uint8_t*>(call.in)[first + i] >> plane & ((1u << bits) - 1)) << (bits * i);
    }
  }
  call.out[item] = packed;
}

ANYBIT_KERNEL int64_t Items(const GatherCall& call) { return call.rows * (call.sum ? 1 : call.pixels) * call.channels; }
ANYBIT_KERNEL void RunItem(const GatherCall& call, int64_t item) {
  const int channel = static_cast<int>(item % call.channels);
  const int64_t first = item / call.channels * (call.sum ? call.pixels : 1), count = call.sum ? call.pixels : 1;
  int32_t sum = 0;
  float float_sum = 0;
  for (int64_t pixel = first; pixel < first + count; ++pixel) {
    if (call.floats) {
      float_sum += static_cast<const float*>(call.in)[pixel * call.stored + channel];
    } else {
      sum += static_cast<const uint8_t*>(call.in)[pixel * call.stored + channel];
    }
  }
  if (call.floats) {
    static_cast<float*>(call.out)[item] = RoundedIf(call.bfloat16, float_sum);
  } else {
    static_cast<int32_t*>(call.out)[item] = sum;
  }
}

// As ChildCode of model/format/code_range.h.
ANYBIT_KERNEL int CodeOfWeight(int q8, const Codes& codes) {
  if (codes.sign) return q8 < 0 ? -1 : 1;
  const int shifted = q8 + codes.step / 2;
  const int code = shifted >= 0 ? shifted / codes.step : -((-shifted + codes.step - 1) / codes.step);
  return code < codes.lo ? codes.lo : code > codes.hi ? codes.hi : code;
}

// Bytes, nibbles, bits and bfloat16 numbers of four, eight, 32 and two channels of output `output` at `tap`.
ANYBIT_KERNEL uint32_t DirectPanelWord(const PanelCall& call, int output, int tap, int word) {
  if (output >= call.outputs || tap >= call.taps) return 0;
  const int per_word = CodesPerWord(call.operand), bits = 32 / per_word;
  const int64_t first = (int64_t{output} * call.taps + tap) * call.channels;
  uint32_t packed = 0;
  for (int i = 0; i < per_word && word * per_word + i < call.channels; ++i) {
    const int64_t at = first + word * per_word + i;
    if (call.operand == Operand::kFloats) return BitsOf(RoundedIf(call.bfloat16, call.full[at]));
    if (call.operand == Operand::kBfloat16) {
      packed |= Bfloat16Of(call.full[at]) << (bits * i);
      continue;
    }
    const int code = CodeOfWeight(call.store[at], call.codes);
    const uint32_t value = bits == 1 ? code > 0 : static_cast<uint32_t>(code) & ((1u << bits) - 1);
    packed |= value << (bits * i);
  }
  return packed;
}

ANYBIT_KERNEL int WinogradWeight(const PanelCall& call, int position, int output, int channel) {
  if (output >= call.outputs || channel >= call.channels) return 0;
  const int in_cols = call.tile_cols + 2;
  return TransformedWeightAt(call.tile_rows, call.tile_cols, position / in_cols, position % in_cols, [&](int tap) {
    return CodeOfWeight(call.store[(int64_t{output} * 9 + tap) * call.channels + channel], call.codes);
  });
}

ANYBIT_KERNEL uint32_t WinogradPanelWord(const PanelCall& call, int64_t item) {
  const int positions = (call.tile_rows + 2) * (call.tile_cols + 2);
  const int64_t steps = CeilDivide(call.channels, 32);
  const int r = static_cast<int>(item % 2), lane = static_cast<int>(item / 2 % 32), n = static_cast<int>(item / 64 % 4);
  const int position = static_cast<int>(item / 256 % positions);
  const int64_t step = item / 256 / positions % steps, block = item / 256 / positions / steps;
  const int output = static_cast<int>(block * 32 + n * 8 + lane / 4);
  uint32_t packed = 0;
  for (int i = 0; i < 4; ++i) {
    const int channel = static_cast<int>(step * 32 + (lane % 4 + r * 4) * 4 + i);
    packed |= (static_cast<uint32_t>(WinogradWeight(call, position, output, channel)) & 255) << (8 * i);
  }
  return packed;
}

// Compensates for the offset of a position.
ANYBIT_KERNEL int32_t WinogradInit(const PanelCall& call, int64_t item) {
  const int64_t outputs = RoundUpTo(call.outputs, 32);
  const int position = static_cast<int>(item / outputs), output = static_cast<int>(item % outputs);
  const int in_cols = call.tile_cols + 2;
  int32_t sum = 0;
  for (int c = 0; c < call.channels; ++c) sum += WinogradWeight(call, position, output, c);
  return -OffsetAt(call.tile_rows, call.tile_cols, position / in_cols, position % in_cols, call.highest_input) * sum;
}

// Of kOnes: the ones of an output's weights, times 2^planes - 1.
ANYBIT_KERNEL int32_t OnesOf(const PanelCall& call, int output) {
  int32_t ones = 0;
  if (output >= call.outputs) return 0;
  for (int64_t i = 0; i < int64_t{call.taps} * call.channels; ++i) {
    ones += CodeOfWeight(call.store[int64_t{output} * call.taps * call.channels + i], call.codes) > 0;
  }
  return ones * ((1 << call.planes) - 1);
}

// The number of items of a panel, to be set in `items`.
inline int64_t PanelItems(const PanelCall& call) {
  switch (call.kind) {
    case PanelKind::kDirect:
      return RoundUpTo(call.outputs, kTileOutputs) * RoundUpTo(int64_t{call.taps} * call.plane_words, kStepWords);
    case PanelKind::kFilter: return int64_t{call.stored} * call.taps * call.plane_words;
    case PanelKind::kOnes: return RoundUpTo(call.outputs, kTileOutputs);
    case PanelKind::kDepthwise: return int64_t{call.taps} * call.stored;
    case PanelKind::kLinear: return int64_t{call.outputs} * call.taps * call.channels;
    case PanelKind::kWinograd:
      return RoundUpTo(call.outputs, 32) / 32 * CeilDivide(call.channels, 32) * (call.tile_rows + 2) *
             (call.tile_cols + 2) * 256;
    case PanelKind::kWinogradInit:
      return int64_t{call.tile_rows + 2} * (call.tile_cols + 2) * RoundUpTo(call.outputs, 32);
  }
  return 0;
}
inline int64_t PanelItemBytes(PanelKind kind) {
  return kind == PanelKind::kDepthwise || kind == PanelKind::kLinear ? 1 : 4;
}

ANYBIT_KERNEL int64_t Items(const PanelCall& call) { return call.items; }
ANYBIT_KERNEL void RunItem(const PanelCall& call, int64_t item) {
  switch (call.kind) {
    case PanelKind::kDirect: {
      const int64_t depth = RoundUpTo(int64_t{call.taps} * call.plane_words, kStepWords);
      const int at = static_cast<int>(item % depth);
      static_cast<uint32_t*>(call.out)[item] =
          DirectPanelWord(call, static_cast<int>(item / depth), at / call.plane_words, at % call.plane_words);
      break;
    }
    case PanelKind::kFilter: {
      const int64_t tap = item / call.plane_words;
      static_cast<uint32_t*>(call.out)[item] =
          DirectPanelWord(call, static_cast<int>(tap / call.taps), static_cast<int>(tap % call.taps),
                          static_cast<int>(item % call.plane_words));
      break;
    }
    case PanelKind::kOnes: static_cast<int32_t*>(call.out)[item] = OnesOf(call, static_cast<int>(item)); break;
    case PanelKind::kDepthwise: {
      const int64_t tap = item / call.stored, channel = item % call.stored;
      static_cast<int8_t*>(call.out)[item] =
          channel < call.outputs ? static_cast<int8_t>(CodeOfWeight(call.store[channel * call.taps + tap], call.codes))
                                 : int8_t{0};
      break;
    }
    case PanelKind::kLinear:
      static_cast<int8_t*>(call.out)[item] = static_cast<int8_t>(CodeOfWeight(call.store[item], call.codes));
      break;
    case PanelKind::kWinograd: static_cast<uint32_t*>(call.out)[item] = WinogradPanelWord(call, item); break;
    case PanelKind::kWinogradInit: static_cast<int32_t*>(call.out)[item] = WinogradInit(call, item); break;
  }
}

// The linear node: a warp for each output and kLinearRows rows; its lanes share the depth. Wide sums are exact.
inline constexpr int kLinearThreads = 128;
template <class Block>
ANYBIT_BODY void RunLinearBlock(Block& block, const LinearCall& call) {
  const int64_t row_groups = CeilDivide(call.rows, kLinearRows);
  struct Sums {
    int64_t codes[kLinearRows];
    float floats[kLinearRows];
  };
  typename Block::template PerThread<Sums> sums;
  block.EachWarp([&](int warp) {
    const int64_t task = block.index() * (kLinearThreads / 32) + warp;
    const int64_t output = task / row_groups, first_row = task % row_groups * kLinearRows;
    if (output >= call.outputs) return;
    const auto rows = static_cast<int>(call.rows - first_row < kLinearRows ? call.rows - first_row : kLinearRows);
    block.EachLane(warp, [&](int thread) {
      sums[thread] = {};
      for (int64_t d = thread % 32; d < call.depth; d += 32) {
        for (int r = 0; r < rows; ++r) {
          const int64_t at = (first_row + r) * call.depth + d, weight = output * call.depth + d;
          if (call.floats) {
            const float full = static_cast<const float*>(call.weights)[weight];
            sums[thread].floats[r] = FusedMultiplyAdd(static_cast<const float*>(call.in)[at],
                                                      RoundedIf(call.bfloat16, full), sums[thread].floats[r]);
          } else {
            sums[thread].codes[r] +=
                int64_t{static_cast<const int32_t*>(call.in)[at]} * static_cast<const int8_t*>(call.weights)[weight];
          }
        }
      }
    });
    ANYBIT_UNROLL for (int r = 0; r < kLinearRows; ++r) {
      block.SumOverWarp(warp, [&](int thread) -> int64_t& { return sums[thread].codes[r]; });
      block.SumOverWarp(warp, [&](int thread) -> float& { return sums[thread].floats[r]; });
    }
    block.EachLane(warp, [&](int thread) {
      const int r = thread % 32;
      if (r >= rows) return;
      float sum = 0;
      ANYBIT_UNROLL for (int i = 0; i < kLinearRows; ++i) {
        // Every lane has every row's sum; each writes one of them.
        if (i == r) sum = call.floats ? sums[thread].floats[i] : static_cast<float>(sums[thread].codes[i]);
      }
      call.out[(first_row + r) * call.outputs + output] = FusedMultiplyAdd(sum, call.scale[output], call.bias[output]);
    });
  });
}
inline int64_t LinearBlocks(const LinearCall& call) {
  return CeilDivide(CeilDivide(call.rows, kLinearRows) * call.outputs, kLinearThreads / 32);
}

}  // namespace anybit::model::cuda

#endif  // ANYBIT_MODEL_KERNELS_CUDA_ITEM_BODIES_H_
