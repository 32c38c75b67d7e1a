// A 3x3 convolution by exact byte Winograd, fused: a block transforms the inputs of kWinogradTiles tiles, multiplies
// each position by its own weights on tensor cores, and transforms the products back, all in shared memory.
//
// Each warp owns some positions, so weights are read once, straight from the panel, which holds fragments.
#ifndef ANYBIT_MODEL_KERNELS_CUDA_WINOGRAD_BODY_H_
#define ANYBIT_MODEL_KERNELS_CUDA_WINOGRAD_BODY_H_

#include "model/kernels/cuda/calls.h"
#include "model/kernels/cuda/epilogue.h"
#include "model/kernels/cuda/portable.h"
#include "model/kernels/cuda/winograd_transform.h"

namespace anybit::model::cuda {

inline constexpr int kWinogradStepWords = 8;  // 32 channels

template <int kTileRows, int kTileCols>
struct WinogradTile {
  static constexpr int kRows = kTileRows, kCols = kTileCols;
  static constexpr int kInRows = kRows + 2, kInCols = kCols + 2;
  static constexpr int kPositions = kInRows * kInCols;
  static constexpr int kPositionsPerWarp = kPositions == 16 ? 2 : 3;
  static constexpr int kWarps = kPositions / kPositionsPerWarp;
  static constexpr int kThreads = kWarps * 32;
  static constexpr int kPitch = kWinogradStepWords + 4;  // as in conv_body.h
  static constexpr int kProductPitch = 9;

  struct Origin {
    int64_t image;  // -1: no tile
    int y, x;       // of its first output
  };
  struct Shared {
    Origin origins[kWinogradTiles];
    union {
      uint32_t v[kPositions][kWinogradTiles][kPitch];
      uint32_t products[kPositions][kWinogradTiles][kProductPitch];  // of 8 outputs
    };
    alignas(16) uint8_t codes[kWinogradTiles][kRows * kCols][kWinogradOutputs];
  };
  struct Sums {
    int32_t c[kPositionsPerWarp][4][4];
  };
  struct Fragments {
    uint32_t a[4], b[2];
  };
};

template <class Tile>
ANYBIT_KERNEL typename Tile::Origin OriginOf(const ConvGeometry& g, int64_t tile) {
  const int64_t down = CeilDivide(g.out_height, Tile::kRows), across = CeilDivide(g.out_width, Tile::kCols);
  if (tile >= g.images * down * across) return {-1, 0, 0};
  const int64_t image = tile / (down * across), in_image = tile % (down * across);
  return {image, static_cast<int>(in_image / across) * Tile::kRows, static_cast<int>(in_image % across) * Tile::kCols};
}

// Four channels of a tile's window, transformed and made unsigned.
template <class Tile>
ANYBIT_KERNEL void TransformWindow(const WinogradCall& call, int tile, int step, int word,
                                   typename Tile::Shared& shared) {
  const ConvGeometry& g = call.geometry;
  const typename Tile::Origin origin = shared.origins[tile];
  const int in_words = call.in_stored / 4, in_word = step * kWinogradStepWords + word;
  uint32_t d[Tile::kInRows * Tile::kInCols];
  ANYBIT_UNROLL for (int row = 0; row < Tile::kInRows; ++row) {
    ANYBIT_UNROLL for (int col = 0; col < Tile::kInCols; ++col) {
      const int y = origin.y + row - g.padding, x = origin.x + col - g.padding;
      const bool inside =
          origin.image >= 0 && in_word < in_words && y >= 0 && x >= 0 && y < g.in_height && x < g.in_width;
      d[row * Tile::kInCols + col] =
          inside ? call.in[((origin.image * g.in_height + y) * g.in_width + x) * in_words + in_word] : 0;
    }
  }
  ANYBIT_UNROLL for (int col = 0; col < Tile::kInCols; ++col) {
    TransformInput<Tile::kRows>(d + col, Tile::kInCols, d + col);
  }
  ANYBIT_UNROLL for (int row = 0; row < Tile::kInRows; ++row) {
    TransformInput<Tile::kCols>(d + row * Tile::kInCols, 1, d + row * Tile::kInCols);
    ANYBIT_UNROLL for (int col = 0; col < Tile::kInCols; ++col) {
      const auto offset = static_cast<uint32_t>(OffsetAt(Tile::kRows, Tile::kCols, row, col, call.highest_input));
      shared.v[row * Tile::kInCols + col][tile][word] = d[row * Tile::kInCols + col] + offset * 0x01010101u;
    }
  }
}

template <class Tile, class Block>
ANYBIT_BODY void MultiplyPositions(Block& block, const WinogradCall& call, int64_t panel_step,
                                   const typename Tile::Shared& shared,
                                   typename Block::template PerThread<typename Tile::Sums>& sums) {
  block.EachWarp([&](int warp) {
    typename Block::template PerThread<typename Tile::Fragments> fragments;
    ANYBIT_UNROLL for (int i = 0; i < Tile::kPositionsPerWarp; ++i) {
      const int position = warp * Tile::kPositionsPerWarp + i;
      block.EachLane(warp, [&](int thread) {
        const int group = thread % 32 / 4, word = thread % 4;
        ANYBIT_UNROLL for (int r = 0; r < 4; ++r) {
          fragments[thread].a[r] = shared.v[position][group + r % 2 * 8][word + r / 2 * 4];
        }
      });
      ANYBIT_UNROLL for (int n = 0; n < 4; ++n) {
        block.EachLane(warp, [&](int thread) {
          const uint32_t* from =
              call.weights + (((panel_step * Tile::kPositions + position) * 4 + n) * 32 + thread % 32) * 2;
          fragments[thread].b[0] = from[0];
          fragments[thread].b[1] = from[1];
        });
        block.template Multiply<Operand::kBytes>(warp, [&](int thread) {
          return typename Block::template Registers<int32_t>{sums[thread].c[i][n], fragments[thread].a,
                                                             fragments[thread].b};
        });
      }
    }
  });
}

// The codes of one tile and output from its products.
template <class Tile>
ANYBIT_KERNEL void TransformProducts(const WinogradCall& call, int tile, int column, int first_output, int n,
                                     typename Tile::Shared& shared) {
  const ConvGeometry& g = call.geometry;
  const typename Tile::Origin origin = shared.origins[tile];
  const int output = first_output + n * 8 + column;
  uint32_t rows[Tile::kRows * Tile::kInCols], y[Tile::kRows * Tile::kCols];
  ANYBIT_UNROLL for (int col = 0; col < Tile::kInCols; ++col) {
    uint32_t m[Tile::kInRows];
    ANYBIT_UNROLL for (int row = 0; row < Tile::kInRows; ++row) {
      m[row] = shared.products[row * Tile::kInCols + col][tile][column];
    }
    TransformOutput<Tile::kRows>(m, 1, rows + col, Tile::kInCols);
  }
  ANYBIT_UNROLL for (int row = 0; row < Tile::kRows; ++row) {
    TransformOutput<Tile::kCols>(rows + row * Tile::kInCols, 1, y + row * Tile::kCols, 1);
  }
  if (origin.image < 0 || output >= g.out_stored) return;
  ANYBIT_UNROLL for (int i = 0; i < Tile::kRows * Tile::kCols; ++i) {
    const int out_y = origin.y + i / Tile::kCols, out_x = origin.x + i % Tile::kCols;
    if (out_y >= g.out_height || out_x >= g.out_width) continue;
    const int64_t pixel = (origin.image * g.out_height + out_y) * g.out_width + out_x;
    shared.codes[tile][i][n * 8 + column] =
        CodeOf(WithoutFactor(y[i], Tile::kRows, Tile::kCols), call.epilogue, pixel, output, g.outputs);
  }
}

template <class Tile>
ANYBIT_KERNEL void StoreTileCodes(const WinogradCall& call, int item, int first_output,
                                  const typename Tile::Shared& shared) {
  const ConvGeometry& g = call.geometry;
  constexpr int kChunks = kWinogradOutputs / 16, kPixels = Tile::kRows * Tile::kCols;
  const int chunk = item % kChunks, i = item / kChunks % kPixels, tile = item / kChunks / kPixels;
  const typename Tile::Origin origin = shared.origins[tile];
  const int y = origin.y + i / Tile::kCols, x = origin.x + i % Tile::kCols, output = first_output + chunk * 16;
  if (origin.image < 0 || y >= g.out_height || x >= g.out_width || output >= g.out_stored) return;
  auto* to =
      static_cast<uint8_t*>(call.out) + ((origin.image * g.out_height + y) * g.out_width + x) * g.out_stored + output;
  *reinterpret_cast<Chunk*>(to) = *reinterpret_cast<const Chunk*>(&shared.codes[tile][i][chunk * 16]);
}

// Block number block.index() of WinogradBlocks.
template <class Tile, class Block>
ANYBIT_BODY void RunWinogradBlock(Block& block, const WinogradCall& call, typename Tile::Shared& shared) {
  const ConvGeometry& g = call.geometry;
  const int blocks_across = static_cast<int>(CeilDivide(g.out_stored, kWinogradOutputs));
  const int64_t first_tile = block.index() / blocks_across * kWinogradTiles;
  const int across = static_cast<int>(block.index() % blocks_across), first_output = across * kWinogradOutputs;
  const int steps = static_cast<int>(CeilDivide(g.in_channels, kWinogradStepWords * 4));

  typename Block::template PerThread<typename Tile::Sums> sums;
  block.EachThread([&](int thread) {
    if (thread < kWinogradTiles) shared.origins[thread] = OriginOf<Tile>(g, first_tile + thread);
    ANYBIT_UNROLL for (int i = 0; i < Tile::kPositionsPerWarp; ++i) {
      const int position = thread / 32 * Tile::kPositionsPerWarp + i;
      ANYBIT_UNROLL for (int n = 0; n < 4; ++n) {
        ANYBIT_UNROLL for (int r = 0; r < 4; ++r) {
          sums[thread].c[i][n][r] = call.init[int64_t{position} * blocks_across * kWinogradOutputs + first_output +
                                              n * 8 + thread % 4 * 2 + r % 2];
        }
      }
    }
  });
  block.Barrier();
  for (int step = 0; step < steps; ++step) {
    block.EachThread([&](int thread) {
      if (thread >= kWinogradTiles * kWinogradStepWords) return;
      TransformWindow<Tile>(call, thread / kWinogradStepWords, step, thread % kWinogradStepWords, shared);
    });
    block.Barrier();
    MultiplyPositions<Tile>(block, call, int64_t{across} * steps + step, shared, sums);
    block.Barrier();
  }
  ANYBIT_UNROLL for (int n = 0; n < 4; ++n) {
    block.EachThread([&](int thread) {
      ANYBIT_UNROLL for (int i = 0; i < Tile::kPositionsPerWarp; ++i) {
        const int position = thread / 32 * Tile::kPositionsPerWarp + i;
        ANYBIT_UNROLL for (int r = 0; r < 4; ++r) {
          shared.products[position][thread % 32 / 4 + r / 2 * 8][thread % 4 * 2 + r % 2] =
              static_cast<uint32_t>(sums[thread].c[i][n][r]);
        }
      }
    });
    block.Barrier();
    block.EachThread([&](int thread) {
      if (thread < kWinogradTiles * 8) TransformProducts<Tile>(call, thread / 8, thread % 8, first_output, n, shared);
    });
    block.Barrier();
  }
  block.EachThread([&](int thread) {
    constexpr int kItems = kWinogradTiles * Tile::kRows * Tile::kCols * (kWinogradOutputs / 16);
    for (int item = thread; item < kItems; item += Tile::kThreads)
      StoreTileCodes<Tile>(call, item, first_output, shared);
  });
}

inline int64_t WinogradBlocks(const WinogradCall& call) {
  const ConvGeometry& g = call.geometry;
  const int64_t tiles = g.images * CeilDivide(g.out_height, call.tile_rows) * CeilDivide(g.out_width, call.tile_cols);
  return CeilDivide(tiles, kWinogradTiles) * CeilDivide(g.out_stored, kWinogradOutputs);
}

}  // namespace anybit::model::cuda

#endif  // ANYBIT_MODEL_KERNELS_CUDA_WINOGRAD_BODY_H_
