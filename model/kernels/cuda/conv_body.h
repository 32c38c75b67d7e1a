// A direct convolution as a matrix product: a block computes kTileRows output pixels of kTileOutputs outputs.
//
// One body serves all operands, because the fragments of mma.m16n8 hold the same 32-bit words for bytes (k32), nibbles
// (k64), bits (k256) and bfloat16 numbers (k16): word w of row r lies in lane (r % 8) * 4 + w % 4, register r / 8 + 2 *
// (w / 4); of column n in lane n * 4 + w % 4, register w / 4. Floats are multiplied by ordinary instructions, in the
// same places.
//
// The depth is (tap, word of a pixel's channels). Three buffers of shared memory: while one is multiplied, the copies
// for the next two are on their way.
#ifndef ANYBIT_MODEL_KERNELS_CUDA_CONV_BODY_H_
#define ANYBIT_MODEL_KERNELS_CUDA_CONV_BODY_H_

#include "model/kernels/cuda/calls.h"
#include "model/kernels/cuda/epilogue.h"
#include "model/kernels/cuda/portable.h"

namespace anybit::model::cuda {

// The window of an output pixel: its corner, and the image.
struct Window {
  int64_t image_pixel;  // index of the image's first pixel
  int y, x;
};

// Beyond the last pixel: a window outside every image.
ANYBIT_KERNEL Window WindowOf(const ConvGeometry& g, int64_t pixel) {
  if (pixel >= g.images * g.out_height * g.out_width) return {0, -(1 << 20), -(1 << 20)};
  const int64_t image = pixel / (g.out_height * g.out_width);
  const int in_image = static_cast<int>(pixel - image * g.out_height * g.out_width);
  const int y = in_image / g.out_width, x = in_image % g.out_width;
  return {image * g.in_height * g.in_width, y * g.stride - g.padding, x * g.stride - g.padding};
}

// A place in the depth of a product.
struct DepthCursor {
  int tap_y, tap_x, word;

  ANYBIT_KERNEL void Advance(int words, int plane_words, int kernel) {
    word += words;
    while (word >= plane_words) {
      word -= plane_words;
      if (++tap_x == kernel) {
        tap_x = 0;
        ++tap_y;
      }
    }
  }
};

template <Operand kOperand, int kTileRows, int kCopyWords>
struct ConvTile {
  static constexpr Operand operand = kOperand;
  static constexpr bool kFloats = kOperand == Operand::kFloats;
  static constexpr bool kFloatSums = kFloats || kOperand == Operand::kBfloat16;
  static constexpr bool kBits = kOperand == Operand::kBitsAnd || kOperand == Operand::kBitsXor;
  static constexpr int kRows = kTileRows;
  static constexpr int kThreads = kTileRows * 2;  // each warp 32 rows of 32 outputs
  static constexpr int kStages = 3;
  // Four words more than a step: eight rows of a fragment then meet all 32 banks of shared memory.
  static constexpr int kPitch = kStepWords + 4;
  static constexpr int kCopiesPerRow = kStepWords / kCopyWords;
  static constexpr int kCodePitch = kTileOutputs + 16;
  using Value = std::conditional_t<kFloatSums, float, int32_t>;

  struct Stage {
    uint32_t a[kTileRows][kPitch];
    uint32_t b[kTileOutputs][kPitch];
  };
  struct Shared {
    Window windows[kTileRows];
    union {
      Stage stages[kStages];
      alignas(16) uint8_t codes[kTileRows][kCodePitch];
    };
  };
  struct Fragments {
    uint32_t a[2][4];
    uint32_t b[4][2];
  };
  struct Sums {
    Value c[2][4][4];  // [16 rows][8 outputs][register]
    int ones[2][2];    // kBitsAnd: of the rows that this lane reads
  };
};

// Where register i of fragment (m, n) of a thread lies within the tile.
struct TilePlace {
  int row, output;
};
ANYBIT_KERNEL TilePlace PlaceOf(int thread, int m, int n, int i) {
  const int warp = thread / 32, lane = thread % 32;
  return {warp / 2 * 32 + m * 16 + lane / 4 + 8 * (i / 2), warp % 2 * 32 + n * 8 + lane % 4 * 2 + i % 2};
}

template <class Tile>
ANYBIT_KERNEL void LoadFragments(const typename Tile::Stage& stage, int thread, int half,
                                 typename Tile::Fragments& fragments) {
  const int warp = thread / 32, group = thread % 32 / 4, word = half * 8 + thread % 4;
  ANYBIT_UNROLL for (int m = 0; m < 2; ++m) {
    ANYBIT_UNROLL for (int r = 0; r < 4; ++r) {
      fragments.a[m][r] = stage.a[warp / 2 * 32 + m * 16 + group + r % 2 * 8][word + r / 2 * 4];
    }
  }
  ANYBIT_UNROLL for (int n = 0; n < 4; ++n) {
    ANYBIT_UNROLL for (int r = 0; r < 2; ++r) {
      fragments.b[n][r] = stage.b[warp % 2 * 32 + n * 8 + group][word + r * 4];
    }
  }
}

// The products of one thread's places, without tensor cores.
template <class Tile>
ANYBIT_KERNEL void MultiplyFloats(const typename Tile::Stage& stage, int thread, typename Tile::Sums& sums) {
  for (int k = 0; k < kStepWords; ++k) {
    float a[4], b[8];
    ANYBIT_UNROLL for (int r = 0; r < 4; ++r) a[r] = FloatOf(stage.a[PlaceOf(thread, r / 2, 0, r % 2 * 2).row][k]);
    ANYBIT_UNROLL for (int n = 0; n < 8; ++n) b[n] = FloatOf(stage.b[PlaceOf(thread, 0, n / 2, n % 2).output][k]);
    ANYBIT_UNROLL for (int m = 0; m < 2; ++m) {
      ANYBIT_UNROLL for (int n = 0; n < 4; ++n) {
        ANYBIT_UNROLL for (int i = 0; i < 4; ++i) {
          sums.c[m][n][i] = FusedMultiplyAdd(a[m * 2 + i / 2], b[n * 2 + i % 2], sums.c[m][n][i]);
        }
      }
    }
  }
}

// The copies of one thread for one step of the depth.
template <class Tile, int kCopyWords, class Block>
ANYBIT_BODY void IssueCopies(Block& block, const ConvCall& call, int thread, int plane, int step, int first_output,
                             const DepthCursor& cursor, typename Tile::Shared& shared, int stage) {
  const ConvGeometry& g = call.geometry;
  const int depth_words = static_cast<int>(RoundUpTo(g.kernel * g.kernel * call.plane_words, kStepWords));
  const int copy = thread % Tile::kCopiesPerRow * kCopyWords;
  constexpr int kRowsAtOnce = Tile::kThreads / Tile::kCopiesPerRow;
  ANYBIT_UNROLL for (int row = thread / Tile::kCopiesPerRow; row < Tile::kRows; row += kRowsAtOnce) {
    const Window window = shared.windows[row];
    const int y = window.y + cursor.tap_y, x = window.x + cursor.tap_x;
    const bool inside = cursor.tap_y < g.kernel && y >= 0 && x >= 0 && y < g.in_height && x < g.in_width;
    const int64_t pixel = inside ? window.image_pixel + int64_t{y} * g.in_width + x : 0;
    const uint32_t* from = call.in + (pixel * call.planes + plane) * call.plane_words + (inside ? cursor.word : 0);
    block.template CopyWords<kCopyWords>(&shared.stages[stage].a[row][copy], from, inside);
  }
  // Panels are always read in chunks.
  for (int chunk = thread; chunk < kTileOutputs * kStepWords / 4; chunk += Tile::kThreads) {
    const int row = chunk / (kStepWords / 4), word = chunk % (kStepWords / 4) * 4;
    const uint32_t* from = call.weights + int64_t{first_output + row} * depth_words + step * kStepWords + word;
    block.template CopyWords<4>(&shared.stages[stage].b[row][word], from, true);
  }
}

template <class Tile, class Block>
ANYBIT_BODY void MultiplyStage(Block& block, const typename Tile::Stage& stage,
                               typename Block::template PerThread<typename Tile::Sums>& sums) {
  if constexpr (Tile::kFloats) {
    block.EachThread([&](int thread) { MultiplyFloats<Tile>(stage, thread, sums[thread]); });
  } else {
    block.EachWarp([&](int warp) {
      typename Block::template PerThread<typename Tile::Fragments> fragments;
      ANYBIT_UNROLL for (int half = 0; half < 2; ++half) {
        block.EachLane(warp, [&](int thread) {
          LoadFragments<Tile>(stage, thread, half, fragments[thread]);
          if constexpr (Tile::operand == Operand::kBitsAnd) {
            ANYBIT_UNROLL for (int r = 0; r < 8; ++r) {
              sums[thread].ones[r / 4][r % 2] += CountOnes(fragments[thread].a[r / 4][r % 4]);
            }
          }
        });
        ANYBIT_UNROLL for (int m = 0; m < 2; ++m) {
          ANYBIT_UNROLL for (int n = 0; n < 4; ++n) {
            block.template Multiply<Tile::operand>(warp, [&](int thread) {
              return typename Block::template Registers<typename Tile::Value>{
                  sums[thread].c[m][n], fragments[thread].a[m], fragments[thread].b[n]};
            });
          }
        }
      }
    });
  }
}

// The exact sum in register i of fragment (m, n).
template <class Tile>
ANYBIT_KERNEL int32_t SumOf(const ConvCall& call, const typename Tile::Sums& sums, int m, int n, int i, int output) {
  const auto c = static_cast<int32_t>(sums.c[m][n][i]);
  // Of bits a of a code and b = (w + 1) / 2 of a weight: a * w = 2 (a & b) - a = b - (a ^ b).
  if constexpr (Tile::operand == Operand::kBitsAnd) return 2 * c - sums.ones[m][i / 2];
  if constexpr (Tile::operand == Operand::kBitsXor) return call.ones[output] - c;
  return c;
}

template <class Tile, class Block>
ANYBIT_BODY void StoreTile(Block& block, const ConvCall& call, int64_t first_pixel, int first_output,
                           typename Block::template PerThread<typename Tile::Sums>& sums,
                           typename Tile::Shared& shared) {
  const ConvGeometry& g = call.geometry;
  const int64_t pixels = g.images * g.out_height * g.out_width;
  block.EachThread([&](int thread) {
    ANYBIT_UNROLL for (int m = 0; m < 2; ++m) {
      ANYBIT_UNROLL for (int n = 0; n < 4; ++n) {
        ANYBIT_UNROLL for (int i = 0; i < 4; ++i) {
          const TilePlace place = PlaceOf(thread, m, n, i);
          const int64_t pixel = first_pixel + place.row;
          const int output = first_output + place.output;
          if (pixel >= pixels || output >= g.out_stored) continue;
          if constexpr (Tile::kFloatSums) {
            static_cast<float*>(call.out)[pixel * g.out_stored + output] =
                FloatValue(sums[thread].c[m][n][i], call.epilogue, pixel, output, g.outputs);
          } else {
            shared.codes[place.row][place.output] =
                CodeOf(SumOf<Tile>(call, sums[thread], m, n, i, output), call.epilogue, pixel, output, g.outputs);
          }
        }
      }
    }
  });
  if constexpr (!Tile::kFloatSums) {
    block.Barrier();
    block.EachThread([&](int thread) {
      constexpr int kChunks = kTileOutputs / 16;
      for (int i = thread; i < Tile::kRows * kChunks; i += Tile::kThreads) {
        const int row = i / kChunks, output = first_output + i % kChunks * 16;
        if (first_pixel + row >= pixels || output >= g.out_stored) continue;
        auto* to = static_cast<uint8_t*>(call.out) + (first_pixel + row) * g.out_stored + output;
        *reinterpret_cast<Chunk*>(to) = *reinterpret_cast<const Chunk*>(&shared.codes[row][i % kChunks * 16]);
      }
    });
  }
}

// Block number block.index() of ConvBlocks.
template <class Tile, int kCopyWords, class Block>
ANYBIT_BODY void RunConvBlock(Block& block, const ConvCall& call, typename Tile::Shared& shared) {
  const ConvGeometry& g = call.geometry;
  const int tiles_across = static_cast<int>(CeilDivide(g.out_stored, kTileOutputs));
  const int64_t first_pixel = block.index() / tiles_across * Tile::kRows;
  const int first_output = static_cast<int>(block.index() % tiles_across) * kTileOutputs;
  const int steps = static_cast<int>(CeilDivide(g.kernel * g.kernel * call.plane_words, kStepWords));
  const int all_steps = steps * call.planes;

  typename Block::template PerThread<typename Tile::Sums> sums;
  typename Block::template PerThread<DepthCursor> cursors;
  block.EachThread([&](int thread) {
    sums[thread] = {};
    if (thread < Tile::kRows) shared.windows[thread] = WindowOf(g, first_pixel + thread);
  });
  block.Barrier();

  // The highest plane comes first; before each other one the sums are doubled.
  const auto issue = [&](int step) {
    if (step < all_steps) {
      block.EachThread([&](int thread) {
        DepthCursor& cursor = cursors[thread];
        if (step % steps == 0) {
          cursor = {};
          cursor.Advance(thread % Tile::kCopiesPerRow * kCopyWords, call.plane_words, g.kernel);
        }
        IssueCopies<Tile, kCopyWords>(block, call, thread, call.planes - 1 - step / steps, step % steps, first_output,
                                      cursor, shared, step % Tile::kStages);
        cursor.Advance(kStepWords, call.plane_words, g.kernel);
      });
    }
    block.CommitCopies();
  };
  issue(0);
  issue(1);
  for (int step = 0; step < all_steps; ++step) {
    block.template AwaitCopies<1>();
    block.Barrier();
    issue(step + 2);  // into the buffer that was multiplied before the barrier
    if constexpr (Tile::kBits) {
      if (step > 0 && step % steps == 0) {
        block.EachThread([&](int thread) {
          for (auto& m : sums[thread].c) {
            for (auto& n : m) {
              for (auto& c : n) c *= 2;
            }
          }
          for (auto& m : sums[thread].ones) {
            for (int& ones : m) ones *= 2;
          }
        });
      }
    }
    MultiplyStage<Tile>(block, shared.stages[step % Tile::kStages], sums);
  }
  block.template AwaitCopies<0>();
  block.Barrier();
  if constexpr (Tile::operand == Operand::kBitsAnd) {
    // Each lane of four counted other words of the same rows.
    ANYBIT_UNROLL for (int r = 0; r < 4; ++r) {
      block.SumOverQuads([&](int thread) -> int& { return sums[thread].ones[r / 2][r % 2]; });
    }
  }
  StoreTile<Tile>(block, call, first_pixel, first_output, sums, shared);
}

inline int64_t ConvBlocks(const ConvCall& call) {
  return CeilDivide(call.geometry.pixels(), call.tile_rows) * CeilDivide(call.geometry.out_stored, kTileOutputs);
}

// Words that a copy moves: chunks where every pixel begins at one.
inline int CopyWordsOf(const ConvCall& call) { return call.plane_words % 4 == 0 ? 4 : 1; }

}  // namespace anybit::model::cuda

#endif  // ANYBIT_MODEL_KERNELS_CUDA_CONV_BODY_H_
